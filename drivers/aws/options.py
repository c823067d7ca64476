"""What an operator can say about an EC2 instance. Names and variables of docker-machine's amazonec2 are kept."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from dataclasses import dataclass

from machine.driver import option

DEFAULT_IMAGE = "debian-12"
DEFAULT_REGION = "us-east-1"  # docker-machine's
DEFAULT_TYPE = "t3.micro"
DEFAULT_SIZE = 16  # GB
DEFAULT_VOLUME = "gp3"
VOLUME_TYPES = ("gp3", "gp2", "io1", "io2", "st1", "sc1", "standard")


def matching(pattern: str, what: str) -> Callable[[str], str]:
    """A parser for text of a form; ``what`` names the form for people."""

    def parse(text: str) -> str:
        if not re.fullmatch(pattern, text):
            raise ValueError(f"{text!r} is not {what}")
        return text

    return parse


def parse_url(text: str) -> str:
    """Of a service: ``https://ec2.example``; or as docker-machine has it its host alone: ``ec2.example:8443``."""
    url = text if "://" in text else f"https://{text}"
    if not re.fullmatch(r"https?://[A-Za-z0-9.\[\]:-]+(/\S*)?", url):
        raise ValueError(f"{text!r} is not a URL")
    return url


def parse_zone(text: str) -> str:
    """A zone's letter, as docker-machine has it, or its name: ``a``, ``eu-central-1a``."""
    if not re.fullmatch(r"[a-z]|[a-z]{2}(-[a-z0-9]+)+[a-z]", text):
        raise ValueError(f"{text!r} is not a zone such as a or eu-central-1a")
    return text


def parse_size(text: str) -> int:
    """Gigabytes of a volume."""
    if not (text.isascii() and text.isdigit()) or not 1 <= int(text) <= 65536:
        raise ValueError(f"{text!r} is not a size in GB (1 to 65536)")
    return int(text)


def parse_cidr(text: str) -> str:
    """A network: ``203.0.113.0/24``, ``2001:db8::/32``, ``203.0.113.7``."""
    try:
        return str(ipaddress.ip_network(text.strip()))
    except ValueError as error:
        raise ValueError(f"{text!r} is not a network such as 203.0.113.0/24 ({error})") from None


def parse_port(text: str) -> str:
    """A port to be opened: ``80``, ``53/udp``, ``8000-8010``."""
    port_range(text)
    return text


def port_range(text: str) -> tuple[int, int, str]:
    """A port as it is written, as its first and last number and its protocol."""
    match = re.fullmatch(r"(\d{1,5})(?:-(\d{1,5}))?(?:/(tcp|udp))?", text)
    if match is None:
        raise ValueError(f"{text!r} is not a port such as 80, 53/udp or 8000-8010")
    first, last = int(match[1]), int(match[2] or match[1])
    if not 1 <= first <= last <= 65535:
        raise ValueError(f"{text!r} is not a range of ports")
    return first, last, match[3] or "tcp"


def parse_tags(text: str) -> str:
    """Tags: ``name=value,…``, or docker-machine's ``name,value,…``."""
    tags_of(text)
    return text


def tags_of(text: str) -> dict[str, str]:
    """The tags that are written there."""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if all("=" in part for part in parts):
        tags = dict(part.split("=", 1) for part in parts)
    elif len(parts) % 2:
        raise ValueError(f"{text!r} is neither name=value,… nor name,value,…")
    else:
        tags = dict(zip(parts[::2], parts[1::2], strict=True))
    for name, value in tags.items():
        if not 1 <= len(name) <= 127 or len(value) > 255 or name.lower().startswith(("aws:", "pymachine:")):
            raise ValueError(f"a tag cannot be called {name!r}, or its value is too long")
    return tags


def parse_price(text: str) -> str:
    """US dollars per hour."""
    if not re.fullmatch(r"\d+(\.\d+)?", text) or float(text) <= 0:
        raise ValueError(f"{text!r} is not a price in US dollars per hour, such as 0.05")
    return text


def parse_hops(text: str) -> int:
    """How many network hops an answer of the metadata service may go."""
    if not (text.isascii() and text.isdigit()) or not 1 <= int(text) <= 64:
        raise ValueError(f"{text!r} is not a number of hops (1 to 64)")
    return int(text)


_REGION = matching(r"[a-z]{2}(-[a-z0-9]+)+-\d+", "a region such as eu-central-1")


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsOptions:
    """The options of ``create --driver aws``."""

    # Who asks.
    profile: str | None = option(help="The profile of ~/.aws/config that is used.", env=("AWS_PROFILE",))
    region: str | None = option(
        help=f"Where the instance is; default: the profile's, else {DEFAULT_REGION}.",
        env=("AWS_REGION", "AWS_DEFAULT_REGION"),
        parse=_REGION,
    )
    role_arn: str | None = option(
        help="A role to assume first.",
        env=("AWS_ROLE_TO_ASSUME",),
        metavar="ARN",
        parse=matching(r"arn:[a-z0-9-]+:iam::\d{12}:role/.+", "a role's ARN"),
    )
    endpoint_url: str | None = option(
        help="Of a service that is compatible with EC2.",
        env=("AWS_ENDPOINT_URL", "AWS_ENDPOINT"),
        metavar="URL",
        aliases=("--aws-endpoint", "--amazonec2-endpoint"),
        parse=parse_url,
    )
    access_key: str | None = option(help="An access key's id.", env=("AWS_ACCESS_KEY_ID",), secret=True)
    secret_key: str | None = option(help="The access key.", env=("AWS_SECRET_ACCESS_KEY",), secret=True)
    session_token: str | None = option(help="Of a temporary key.", env=("AWS_SESSION_TOKEN",), secret=True)
    # What it is.
    image: str | None = option(
        help="The system, the newest of its kind: debian-12, debian-13, ubuntu-22.04, ubuntu-24.04, amazon-linux-2023; "
        f"default: the launch template's, else {DEFAULT_IMAGE}.",
        env=("AWS_IMAGE",),
    )
    ami: str | None = option(
        help="One image instead: ami-…, a name pattern with its owner (OWNER:PATTERN), or baked or baked:NAME: the "
        "last one that `pymachine bake` made.",
        env=("AWS_AMI",),
    )
    ssh_user: str | None = option(
        help="Who logs in; default: as the image has it.",
        env=("AWS_SSH_USER",),
        parse=matching(r"[a-z_][a-z0-9_-]{0,31}", "a user's name"),
    )
    instance_type: str | None = option(
        help=f"What it runs on; default: the launch template's, else {DEFAULT_TYPE}.",
        env=("AWS_INSTANCE_TYPE",),
        parse=matching(r"[a-z][a-z0-9-]*\.[a-z0-9-]+", "an instance type such as t3.micro"),
    )
    launch_template: str | None = option(
        help="What is not said here comes from this launch template (its id or name, and :VERSION).",
        env=("AWS_LAUNCH_TEMPLATE",),
        metavar="NAME[:VERSION]",
    )
    userdata: str | None = option(
        help="A file with user data of your own, in any form cloud-init takes; it is merged with ours.",
        env=("AWS_USERDATA",),
        metavar="FILE",
    )
    root_size: int | None = option(
        help=f"The root volume, in GB; default: {DEFAULT_SIZE}.", env=("AWS_ROOT_SIZE",), parse=parse_size
    )
    volume_type: str | None = option(
        help=f"The root volume's type; default: {DEFAULT_VOLUME}.", env=("AWS_VOLUME_TYPE",), choices=VOLUME_TYPES
    )
    volume_iops: int | None = option(help="The root volume's operations per second.", env=("AWS_VOLUME_IOPS",))
    volume_throughput: int | None = option(help="The root volume's MB per second.", env=("AWS_VOLUME_THROUGHPUT",))
    volume_encryption: str = option(
        help="Whether the root volume is encrypted; account: as the account's default says.",
        default="on",
        env=("AWS_VOLUME_ENCRYPTION",),
        choices=("on", "off", "account"),
    )
    kms_key: str | None = option(
        help="The key that encrypts it, instead of the account's own.",
        env=("AWS_KMS_KEY",),
    )
    device_name: str | None = option(
        help="The root volume's name; default: as the image has it.", env=("AWS_DEVICE_NAME",)
    )
    iam_instance_profile: str | None = option(
        help="The IAM instance profile of the host (name or ARN).", env=("AWS_INSTANCE_PROFILE",)
    )
    metadata_hops: int = option(
        help="How far an answer of the metadata service may go; 2 lets containers ask. A token is always required.",
        default=1,
        env=("AWS_METADATA_HOPS",),
        parse=parse_hops,
        aliases=("--aws-metadata-token-response-hop-limit", "--amazonec2-metadata-token-response-hop-limit"),
    )
    keypair_name: str | None = option(
        help="A key pair of EC2's that may log in too. Not needed.", env=("AWS_KEYPAIR_NAME",)
    )
    tags: str | None = option(
        help="Tags on all that is made: name=value,…", env=("AWS_TAGS",), parse=parse_tags, metavar="TAGS"
    )
    # Where it is, and who reaches it.
    vpc_id: str | None = option(
        help="Default: the account's default VPC.",
        env=("AWS_VPC_ID",),
        parse=matching(r"vpc-[0-9a-f]+", "a VPC such as vpc-0123abcd"),
    )
    subnet_id: str | None = option(
        help="Default: one of the VPC's.",
        env=("AWS_SUBNET_ID",),
        parse=matching(r"subnet-[0-9a-f]+", "a subnet such as subnet-0123abcd"),
    )
    zone: str | None = option(help="The availability zone: a, eu-central-1a.", env=("AWS_ZONE",), parse=parse_zone)
    security_group: tuple[str, ...] = option(
        help="A group of yours instead of one made for the machine (id or name); it is not changed. Repeatable.",
        default=(),
        env=("AWS_SECURITY_GROUP",),
    )
    allow_cidr: tuple[str, ...] = option(
        help="Who reaches SSH and the endpoint; default: the address you have now. Repeatable.",
        default=(),
        env=("AWS_ALLOW_CIDR",),
        parse=parse_cidr,
        metavar="NETWORK",
    )
    open_port: tuple[str, ...] = option(
        help="A further port, open to everybody: 80, 53/udp, 8000-8010. Repeatable.",
        default=(),
        env=("AWS_OPEN_PORT",),
        parse=parse_port,
        metavar="PORT",
    )
    private_address_only: bool = option(
        help="No public address; the host is reached at its private one.",
        default=False,
        env=("AWS_PRIVATE_ADDRESS_ONLY",),
    )
    use_private_address: bool = option(
        help="Reach it at its private address, though it may have a public one.",
        default=False,
        env=("AWS_USE_PRIVATE_ADDRESS",),
    )
    elastic_ip: bool = option(help="An address that stays over stop and start.", default=False, env=("AWS_ELASTIC_IP",))
    ipv6: bool = option(help="An IPv6 address too.", default=False, env=("AWS_IPV6",))
    # How it is bought.
    spot: bool = option(
        help="On the spot market: cheaper, and it may be taken away.",
        default=False,
        env=("AWS_SPOT",),
        aliases=("--aws-request-spot-instance", "--amazonec2-request-spot-instance"),
    )
    spot_price: str | None = option(
        help="The most to be paid per hour, in US dollars; default: the on-demand price.",
        env=("AWS_SPOT_PRICE",),
        parse=parse_price,
    )
    spot_fallback: bool = option(
        help="On demand, where the spot market has none.", default=False, env=("AWS_SPOT_FALLBACK",)
    )
    capacity_reservation: str | None = option(
        help="A capacity reservation to be used.",
        env=("AWS_CAPACITY_RESERVATION",),
        parse=matching(r"cr-[0-9a-f]+", "a capacity reservation such as cr-0123abcd"),
    )
    placement_group: str | None = option(help="A placement group.", env=("AWS_PLACEMENT_GROUP",))
    tenancy: str = option(
        help="Hardware of one's own.", default="default", env=("AWS_TENANCY",), choices=("default", "dedicated", "host")
    )
    monitoring: bool = option(help="Detailed monitoring.", default=False, env=("AWS_MONITORING",))
    ebs_optimized: bool = option(
        help="A network of its own for the volumes, on old types.",
        default=False,
        env=("AWS_EBS_OPTIMIZED",),
        aliases=("--aws-use-ebs-optimized-instance", "--amazonec2-use-ebs-optimized-instance"),
    )
    termination_protection: bool = option(
        help="`rm` is refused until it is taken off.", default=False, env=("AWS_TERMINATION_PROTECTION",)
    )
    stop_protection: bool = option(
        help="`stop` is refused until it is taken off.", default=False, env=("AWS_STOP_PROTECTION",)
    )
