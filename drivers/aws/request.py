"""From options to the request: everything found out that can be, before anything is made. It holds no secret."""

from __future__ import annotations

import dataclasses
import hashlib
import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from machine.driver import HostIdentity, Notes
from machine.drivers.aws.account import Account
from machine.drivers.aws.baking import is_baked
from machine.drivers.aws.errors import FORBIDDEN, code_of
from machine.drivers.aws.group import rules
from machine.drivers.aws.images import Image, find_image
from machine.drivers.aws.instancetypes import find_type
from machine.drivers.aws.launch import ON_DEMAND, SPOT
from machine.drivers.aws.network import Subnet, find_subnets
from machine.drivers.aws.operator import operator_network
from machine.drivers.aws.options import (
    DEFAULT_IMAGE,
    DEFAULT_SIZE,
    DEFAULT_TYPE,
    DEFAULT_VOLUME,
    AwsOptions,
    tags_of,
)
from machine.drivers.aws.template import launch_template
from machine.errors import PreCheckFailed
from machine.model import Spec
from machine.trust.sshkeys import new_private_key
from machine.userdata import LIMIT, UserData, build, wants_default_engine

_IDENTITY_AGE = 12 * 3600.0  # seconds


class Noted:
    """Notes that remember which of them were used: what EC2 then refuses is forgotten by the driver."""

    def __init__(self, notes: Notes) -> None:
        self._notes = notes
        self.used: list[str] = []

    def get(self, key: str, max_age: float) -> Any:
        """As `machine.driver.Notes`."""
        self.used.append(key)
        return self._notes.get(key, max_age)

    def put(self, key: str, value: Any) -> None:
        """As `machine.driver.Notes`."""
        self._notes.put(key, value)


def resolve_request(
    account: Account, settings: Mapping[str, Any], spec: Spec, options: AwsOptions, identity: HostIdentity
) -> dict[str, Any]:
    """What ``create`` will ask EC2 for.

    Args:
        settings: of the account, as they are recorded; its number is added.

    Raises:
        PreCheckFailed: it cannot work; says what to change.
    """
    _check_region(account)
    notes = Noted(identity.notes)
    who = _who(account, notes)
    template, from_template = launch_template(account, options.launch_template) if options.launch_template else ({}, {})
    kind = find_type(account, notes, options.instance_type or from_template.get("InstanceType") or DEFAULT_TYPE)
    ami = options.ami or (from_template.get("ImageId") if not options.image else None)
    image = find_image(
        account,
        notes,
        image=options.image or DEFAULT_IMAGE,
        ami=ami,
        architecture=kind.architecture,
        store=identity.store,
    )
    subnets = find_subnets(account, notes, who, subnet=options.subnet_id, vpc=options.vpc_id, zone=options.zone)
    if options.ipv6 and not all(each.ipv6 for each in subnets):
        raise PreCheckFailed(
            f"the subnet {next(each.id for each in subnets if not each.ipv6)} has no IPv6 network",
            hint="give it one (aws ec2 associate-subnet-cidr-block), or leave out --aws-ipv6",
        )
    if options.keypair_name:
        _check_key_pair(account, options.keypair_name)
    own_groups = _groups(account, options.security_group, subnets[0].vpc)
    user_data = _user_data(spec, options, identity)
    request: dict[str, Any] = {
        "account": {**settings, "region": account.region, "id": who},
        "machine": spec.name,
        "store": identity.store,
        "tags": tags_of(options.tags) if options.tags else {},
        "image": dataclasses.asdict(image),
        "user": options.ssh_user or image.user,
        "run": _run(options, kind.name, image, template),
        "spot": {"SpotInstanceType": "one-time", **({"MaxPrice": options.spot_price} if options.spot_price else {})},
        "attempts": _attempts(options, subnets),
        "interface": _interface(options, subnets),
        "private": options.private_address_only or options.use_private_address,
        "elastic_ip": options.elastic_ip,
        "groups": own_groups,
        "group": None,
        "user_data": user_data,
        "notes": notes.used,
    }
    if not own_groups:
        networks = options.allow_cidr or (operator_network(account.endpoint),)
        request["group"] = {
            "name": f"pymachine-{spec.name}-{{token}}",
            "vpc": subnets[0].vpc,
            "networks": list(networks),
            "rules": rules(networks, options.open_port, ipv6=options.ipv6),
        }
    elif options.open_port or options.allow_cidr:
        raise PreCheckFailed(
            "a security group of yours is not changed",
            hint="open the ports there, or leave out --aws-security-group: the machine then has a group of its own",
        )
    return request


def user_data_of(request: Mapping[str, Any], host_key: bytes) -> bytes:
    """The user data of a request, with the key by which the host will be known.

    Raises:
        PreCheckFailed: the operator's file has changed since the check, and cannot be used now.
    """
    wanted = request["user_data"]
    own = _read(wanted["file"]) if wanted["file"] else None
    return _built(
        UserData(
            hostname=wanted["hostname"],
            authorized_key=wanted["authorized_key"],
            host_key=host_key,
            engine_early=wanted["engine_early"],
            own=own,
        )
    )


def _user_data(spec: Spec, options: AwsOptions, identity: HostIdentity) -> dict[str, Any]:
    path = str(Path(options.userdata).expanduser().absolute()) if options.userdata else ""
    wanted = {
        "hostname": spec.name,
        "authorized_key": identity.authorized_key,
        # Where the way out leads through a proxy, the host knows of it when the agent comes, and not before.
        "engine_early": wants_default_engine(spec.engine) and not _proxied() and not is_baked(options.ami),
        "file": path,
    }
    user_data_of({"user_data": wanted}, new_private_key())  # with another key of the same size: it can be made
    return wanted


def _proxied() -> bool:
    return any(os.environ.get(name) or os.environ.get(name.upper()) for name in ("http_proxy", "https_proxy"))


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise PreCheckFailed(f"cannot read the user data in {path}", cause=error.strerror) from error


def _built(data: UserData) -> bytes:
    try:
        made = build(data)
    except ValueError as error:
        raise PreCheckFailed("the user data cannot be used", cause=str(error), hint="look at --aws-userdata") from error
    if len(made) > LIMIT:
        raise PreCheckFailed(
            f"the user data is {len(made):,} bytes with ours, and EC2 takes {LIMIT:,}",
            hint="let yours fetch the rest: #include and a URL, or a script that downloads it",
        )
    return made


def _check_region(account: Account) -> None:
    import difflib
    import socket

    import botocore.session

    session = botocore.session.get_session()
    known = [
        region
        for partition in session.get_available_partitions()
        for region in session.get_available_regions("ec2", partition)
    ]
    if account.region in known:
        return
    close = difflib.get_close_matches(account.region, known, n=3)
    if not account.endpoint:
        try:
            socket.getaddrinfo(f"ec2.{account.region}.amazonaws.com", 443)
            return  # newer than this botocore
        except OSError:
            pass
    raise PreCheckFailed(
        f"there is no region {account.region}",
        hint=f"did you mean {' or '.join(close)}?" if close else "see them: aws ec2 describe-regions",
    )


def _who(account: Account, notes: Notes) -> str:
    """The account's number, remembered for the key that is used."""
    key_id = account.access_key_id()
    if account.role:  # its name says so, and its keys are others every time
        return account.role.split(":")[4]
    used = hashlib.sha256(key_id.encode()).hexdigest()[:16]
    key = f"aws identity {account.endpoint or ''} {used}"
    noted = notes.get(key, _IDENTITY_AGE)
    if noted is None:
        noted = account.identity().account
        notes.put(key, noted)
    return str(noted)


def _check_key_pair(account: Account, name: str) -> None:
    with account.errors("look at the key pairs", pre_check=True):
        try:
            found = account.reads().describe_key_pairs(Filters=[{"Name": "key-name", "Values": [name]}])["KeyPairs"]
        except ClientError as error:
            if code_of(error) in FORBIDDEN:
                return  # RunInstances will say it, if there is none
            raise
    if not found:
        raise PreCheckFailed(
            f"there is no key pair {name} in {account.region}",
            hint="see them: aws ec2 describe-key-pairs; or leave out --aws-keypair-name, which is not needed",
        )


def _groups(account: Account, said: tuple[str, ...], vpc: str) -> list[str]:
    """The ids of groups of the operator's own, given by id or by name."""
    if not said:
        return []
    with account.errors("look at the security groups", pre_check=True):
        ec2 = account.reads()
        pages = ec2.get_paginator("describe_security_groups").paginate(Filters=[{"Name": "vpc-id", "Values": [vpc]}])
        found = [each for page in pages for each in page["SecurityGroups"]]
    by_name = {each["GroupName"]: each["GroupId"] for each in found} | {
        each["GroupId"]: each["GroupId"] for each in found
    }
    for each in said:
        if each not in by_name:
            raise PreCheckFailed(
                f"there is no security group {each} in {vpc}",
                hint="leave out --aws-security-group: the machine then has a group of its own",
            )
    return [by_name[each] for each in said]


def _run(options: AwsOptions, kind: str, image: Image, template: Mapping[str, str]) -> dict[str, Any]:
    """What RunInstances is asked for in every attempt."""
    run: dict[str, Any] = {
        "ImageId": image.id,
        "InstanceType": kind,
        "MetadataOptions": {
            "HttpEndpoint": "enabled", "HttpTokens": "required", "HttpPutResponseHopLimit": options.metadata_hops,
        },
    }  # fmt: skip
    volume = _volume(options, image, bool(template))
    if volume:
        run["BlockDeviceMappings"] = [{"DeviceName": options.device_name or image.root_device, "Ebs": volume}]
    placement = {"GroupName": options.placement_group} if options.placement_group else {}
    if options.tenancy != "default":
        placement["Tenancy"] = options.tenancy
    profile = options.iam_instance_profile
    given = {
        "LaunchTemplate": dict(template),
        "Placement": placement,
        "IamInstanceProfile": {"Arn" if profile.startswith("arn:") else "Name": profile} if profile else None,
        "KeyName": options.keypair_name,
        "Monitoring": {"Enabled": True} if options.monitoring else None,
        "EbsOptimized": options.ebs_optimized or None,
        "DisableApiTermination": options.termination_protection or None,
        "DisableApiStop": options.stop_protection or None,
        "CapacityReservationSpecification": (
            {"CapacityReservationTarget": {"CapacityReservationId": options.capacity_reservation}}
            if options.capacity_reservation
            else None
        ),
        # A spot instance is taken away when it stops; one on demand that stops itself shall be there to be started.
        "InstanceInitiatedShutdownBehavior": None if options.spot else "stop",
    }
    return run | {key: value for key, value in given.items() if value}


def _volume(options: AwsOptions, image: Image, templated: bool) -> dict[str, Any]:
    said = (options.root_size, options.volume_type, options.volume_iops, options.volume_throughput, options.kms_key)
    if templated and not any(said):
        return {}
    if options.root_size is not None and options.root_size < image.smallest:
        raise PreCheckFailed(
            f"the image {image.id} needs {image.smallest} GB", hint=f"give --aws-root-size {image.smallest}"
        )
    size = options.root_size or max(DEFAULT_SIZE, math.ceil(image.smallest))
    volume: dict[str, Any] = {
        "VolumeSize": size, "VolumeType": options.volume_type or DEFAULT_VOLUME, "DeleteOnTermination": True,
    }  # fmt: skip
    if options.volume_iops:
        volume["Iops"] = options.volume_iops
    if options.volume_throughput:
        volume["Throughput"] = options.volume_throughput
    if options.kms_key:
        volume |= {"Encrypted": True, "KmsKeyId": options.kms_key}
    elif options.volume_encryption != "account":
        volume["Encrypted"] = options.volume_encryption == "on"
    return volume


def _interface(options: AwsOptions, subnets: list[Subnet]) -> dict[str, Any] | None:
    """What is said of the network interface; None: all is as the subnet has it."""
    public = not options.private_address_only
    if not options.ipv6 and all(each.public == public for each in subnets):
        return None
    return {"AssociatePublicIpAddress": public, **({"Ipv6AddressCount": 1} if options.ipv6 else {})}


def _attempts(options: AwsOptions, subnets: list[Subnet]) -> list[dict[str, str]]:
    """In which markets and zones it is tried, in this order; several zones only where none was said."""
    markets = [SPOT] if options.spot else [ON_DEMAND]
    if options.spot and options.spot_fallback:
        markets.append(ON_DEMAND)
    return [{"market": market, "subnet": each.id, "zone": each.zone} for market in markets for each in subnets]
