"""A request in words: who asks EC2, and what it would be asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from machine.drivers.aws.account import Account
from machine.drivers.aws.launch import SPOT
from machine.drivers.aws.marks import STORE
from machine.drivers.aws.options import DEFAULT_REGION
from machine.drivers.aws.prices import LINUX, prices
from machine.model import Offering

# botocore's words for where it found credentials (botocore/credentials.py), in ours.
_FROM = {
    "explicit": "options of this command",
    "env": "the environment: AWS_ACCESS_KEY_ID",
    "shared-credentials-file": "the file of credentials",
    "config-file": "the configuration file",
    "sso": "a sign-in (SSO)",
    "login": "a sign-in",
    "assume-role": "a role that was assumed",
    "assume-role-with-web-identity": "a role for a web identity",
    "custom-process": "a program that the profile names",
    "container-role": "the role of this container",
    "iam-role": "the role of this instance",
}
_OPEN_TO_ALL = ("0.0.0.0/0", "::/0")


def explain(account: Account, request: Mapping[str, Any], sources: Mapping[str, str]) -> list[tuple[str, str]]:
    """Facts for people, each a label and its value.

    Args:
        request: as the check resolved it; without ``run``: only who asks is known.
        sources: where each option was said.

    Raises:
        PreCheckFailed: there are no credentials, or none that are accepted.
    """
    facts = _who(account, sources)
    return [*facts, *_what(request), ("price", _price(account, request))] if "run" in request else facts


def _who(account: Account, sources: Mapping[str, str]) -> list[tuple[str, str]]:
    identity = account.identity()
    method = account.credentials_from()
    facts = [("account", identity.account), ("identity", identity.arn)]
    facts.append(("credentials", f"from {_FROM.get(method, method)}"))
    if account.profile:
        facts.append(("profile", _said(account.profile, "profile", sources)))
    if account.role:
        facts.append(("role", _said(account.role, "role_arn", sources)))
    default = "the default" if account.region == DEFAULT_REGION else "the profile's"
    facts.append(("region", _said(account.region, "region", sources, default)))
    if account.endpoint:
        facts.append(("endpoint", _said(account.endpoint, "endpoint_url", sources)))
    return facts


def _said(value: str, option: str, sources: Mapping[str, str], otherwise: str = "") -> str:
    source = sources.get(option, otherwise)
    return f"{value} ({source})" if source else value


def _what(request: Mapping[str, Any]) -> list[tuple[str, str]]:
    run, image = request["run"], request["image"]
    facts = [
        ("instance type", run["InstanceType"]),
        ("image", f"{image['name'] or 'without a name'} ({image['id']}, {image['architecture']})"),
        ("user", request["user"]),
        ("bought", _market(request)),
        ("place", _place(request)),
        ("address", _address(request)),
        *_access(request),
        ("volume", _volume(run)),
        ("marks", f"{STORE}={request['store']}"),
    ]
    plain = {
        "launch template": run.get("LaunchTemplate", {}).get("LaunchTemplateId"),
        "instance profile": next(iter((run.get("IamInstanceProfile") or {}).values()), None),
        "key pair": run.get("KeyName"),
        "placement": " ".join(run.get("Placement", {}).values()),
        "user data": request["user_data"]["file"],
        "protected from": " and ".join(
            word for key, word in (("DisableApiTermination", "rm"), ("DisableApiStop", "stop")) if run.get(key)
        ),
        "tags": ", ".join(f"{key}={value}" for key, value in request["tags"].items()),
    }
    return facts + [(label, str(value)) for label, value in plain.items() if value]


def _market(request: Mapping[str, Any]) -> str:
    markets = list(dict.fromkeys(each["market"] for each in request["attempts"]))
    if SPOT not in markets:
        return "on demand"
    most = request["spot"].get("MaxPrice")
    text = f"on the spot market, for at most {most} USD an hour" if most else "on the spot market"
    return f"{text}; where it has none, on demand" if len(markets) > 1 else text


def _place(request: Mapping[str, Any]) -> str:
    places = {each["zone"]: each["subnet"] for each in request["attempts"]}
    first, *others = places
    text = f"{places[first]} in {first}"
    return f"{text}; without capacity there: {', '.join(others)}" if others else text


def _address(request: Mapping[str, Any]) -> str:
    interface = request["interface"]
    if request["elastic_ip"]:
        text = "an Elastic IP"
    elif interface is not None and not interface["AssociatePublicIpAddress"]:
        return "a private one only"
    else:
        text = "a public one, another after each start"
    text += ", and an IPv6 one" if interface is not None and interface.get("Ipv6AddressCount") else ""
    return f"{text}; reached at its private one" if request["private"] else text


def _access(request: Mapping[str, Any]) -> list[tuple[str, str]]:
    group = request["group"]
    if group is None:
        return [("security groups", f"{', '.join(request['groups'])} (yours; not changed)")]
    facts = [("reached by", ", ".join(group["networks"]))]
    if any(each in _OPEN_TO_ALL for each in group["networks"]):
        facts[-1] = ("reached by", f"{facts[-1][1]}: everybody")
    opened = [
        _ports(rule)
        for rule in group["rules"]
        if any("everybody" in each["Description"] for each in rule.get("IpRanges", ()))
    ]
    return facts + ([("open to everybody", ", ".join(opened))] if opened else [])


def _ports(rule: Mapping[str, Any]) -> str:
    first, last = rule["FromPort"], rule["ToPort"]
    text = str(first) if first == last else f"{first}-{last}"
    return text if rule["IpProtocol"] == "tcp" else f"{text}/{rule['IpProtocol']}"


def _volume(run: Mapping[str, Any]) -> str:
    mapping = next(iter(run.get("BlockDeviceMappings", ())), None)
    if mapping is None:
        return "as the launch template has it"
    volume = mapping["Ebs"]
    parts = [f"{volume['VolumeSize']} GB {volume['VolumeType']}"]
    parts += [f"{volume['Iops']} operations per second"] if volume.get("Iops") else []
    parts += [f"{volume['Throughput']} MB per second"] if volume.get("Throughput") else []
    words = {None: "encrypted as the account has it", True: "encrypted", False: "not encrypted"}
    key = volume.get("KmsKeyId")
    return ", ".join([*parts, f"encrypted with {key}" if key else words[volume.get("Encrypted")]])


def _price(account: Account, request: Mapping[str, Any]) -> str:
    """Of the first attempt; the disk and traffic come on top of it."""
    first = request["attempts"][0]
    wanted = Offering(
        type=request["run"]["InstanceType"],
        region=account.region,
        zone=first["zone"],
        market=first["market"],
        tenancy=request["run"].get("Placement", {}).get("Tenancy", "default"),
        system=LINUX,
    )
    (price,) = prices(account, [wanted])
    if price.hourly is None:
        return f"not known: {price.why_unknown}"
    return f"{price.hourly} {price.currency} an hour, without its disk"
