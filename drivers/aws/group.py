"""The security group of a machine: its own, open to the operator and to nobody else unless that was asked for.

EC2 takes no token for it. So the call is never repeated blindly: the group's name has the operation's token, and it is
looked for by its mark before another one is made.
"""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from botocore.exceptions import ClientError

from machine.driver import Recorder
from machine.drivers.aws import marks
from machine.drivers.aws.account import Account
from machine.drivers.aws.errors import NOT_FOUND, code_of
from machine.drivers.aws.insisting import insist, pause
from machine.drivers.aws.options import port_range

SSH, ENDPOINT, ENDPOINT_BESIDE = 22, 2376, 2378
_TURN = 1.0  # seconds between looks at a group that is still in use
_FREE = 120.0  # seconds until a group is free that nothing known uses: an interface that goes is slow at times


def rules(networks: Iterable[str], open_ports: Iterable[str], *, ipv6: bool) -> list[dict[str, Any]]:
    """What a group lets in.

    Args:
        networks: who reaches SSH and the endpoint.
        open_ports: further ports, for everybody.
        ipv6: the host has such an address: everybody may use it too.
    """
    made = []
    for port in (SSH, ENDPOINT):
        made.append(_rule(port, port, "tcp", networks, "pymachine: the operator"))
    everybody = ["0.0.0.0/0", *(["::/0"] if ipv6 else [])]
    for text in open_ports:
        first, last, protocol = port_range(text)
        made.append(_rule(first, last, protocol, everybody, "pymachine: open to everybody"))
    return made


def ensure_group(account: Account, request: Mapping[str, Any], token: str, record: Recorder, *, look: bool) -> str:
    """Make the machine's group, or find the one that was made under this token; `authorize` opens it.

    Args:
        look: an earlier attempt may have made it.

    Returns:
        Its id.
    """
    wanted = request["group"]

    def make() -> str:
        try:
            made = account.effects().create_security_group(
                GroupName=wanted["name"].format(token=token[:12]),
                Description=f"pymachine machine {request['machine']}",
                VpcId=wanted["vpc"],
                TagSpecifications=marks.specification(request, token, "security-group"),
            )
        except ClientError as error:
            there = find_group(account, token) if code_of(error) == "InvalidGroup.Duplicate" else None
            if there is None:
                raise
            return there  # its name has our token: a reply to us was lost
        return str(made["GroupId"])

    def find() -> str | None:
        return find_group(account, token)

    return (find() if look else None) or insist(record, "make a security group", make, found=find)


def authorize(account: Account, group: str, wanted: Sequence[Mapping[str, Any]], record: Recorder) -> bool:
    """Let in what is wanted; what is let in already is success.

    Returns:
        Whether anything was new.
    """
    if not wanted:
        return False
    try:
        _let_in(account, group, wanted, record)
    except ClientError as error:
        if code_of(error) != "InvalidPermission.Duplicate":
            raise
        # One of several is enough for that, and then none of them was added.
        return _one_by_one(account, group, wanted, record)
    return True


def delete_group(account: Account, group: str, record: Recorder, *, patience: float = _FREE) -> None:
    """Delete a group; already gone is success. One that is in use by something that is going is waited for.

    Args:
        patience: seconds to wait for it to be free, where nothing that stays is known to use it.

    Raises:
        ClientError: it stays in use, or another refusal.
    """
    delete = partial(account.effects().delete_security_group, GroupId=group)
    until = time.monotonic() + patience
    while True:
        try:
            insist(record, f"delete {group}", delete)
        except ClientError as error:
            code = code_of(error)
            if code in NOT_FOUND:
                return
            if code not in ("DependencyViolation", "InvalidGroup.InUse"):
                raise
            if time.monotonic() > until or _users(account, group):
                raise
            pause(record, _TURN, f"the security group {group} to be free")
        else:
            return


def _rule(first: int, last: int, protocol: str, networks: Iterable[str], why: str) -> dict[str, Any]:
    rule: dict[str, Any] = {"IpProtocol": protocol, "FromPort": first, "ToPort": last}
    for network in networks:
        if ipaddress.ip_network(network).version == 6:
            rule.setdefault("Ipv6Ranges", []).append({"CidrIpv6": network, "Description": why})
        else:
            rule.setdefault("IpRanges", []).append({"CidrIp": network, "Description": why})
    return rule


def _let_in(account: Account, group: str, wanted: Sequence[Mapping[str, Any]], record: Recorder) -> None:
    # The same rule twice is refused as a duplicate: to repeat is safe. Not every part of EC2 knows a new group at once.
    act = partial(account.effects().authorize_security_group_ingress, GroupId=group, IpPermissions=list(wanted))
    insist(record, "let the operator in", act, again=("InvalidGroup.NotFound",))


def _one_by_one(account: Account, group: str, wanted: Sequence[Mapping[str, Any]], record: Recorder) -> bool:
    new = False
    for rule in wanted:
        for kind in ("IpRanges", "Ipv6Ranges"):
            for each in rule.get(kind, ()):
                single = {key: value for key, value in rule.items() if key not in ("IpRanges", "Ipv6Ranges")}
                try:
                    _let_in(account, group, [{**single, kind: [each]}], record)
                    new = True
                except ClientError as error:
                    if code_of(error) != "InvalidPermission.Duplicate":
                        raise
    return new


def find_group(account: Account, token: str) -> str | None:
    """The group that carries this token."""
    groups = account.reads().describe_security_groups(Filters=marks.marked(marks.OPERATION, token))["SecurityGroups"]
    return str(groups[0]["GroupId"]) if groups else None


def _users(account: Account, group: str) -> list[str]:
    """Instances that are not ending and use this group: it will not become free by waiting."""
    pages = account.reads().describe_instances(Filters=[{"Name": "instance.group-id", "Values": [group]}])
    ending = ("shutting-down", "terminated")
    return [
        each["InstanceId"]
        for one in pages["Reservations"]
        for each in one["Instances"]
        if each["State"]["Name"] not in ending
    ]
