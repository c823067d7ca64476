"""Taking away all that was made for a machine, in order: the instance, its address, its group; and finding it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from botocore.exceptions import ClientError

from machine.driver import Found, Recorder
from machine.drivers.aws import baking, elasticip, marks
from machine.drivers.aws.account import Account
from machine.drivers.aws.errors import NOT_FOUND, code_of
from machine.drivers.aws.group import delete_group
from machine.drivers.aws.insisting import insist, pause
from machine.drivers.aws.instances import ENDED, Watch, by_id, describe
from machine.errors import PymachineError

# An instance may have been made a moment ago by a process that did not live to hear of it, and not be listed yet.
_RECENT, _SETTLES = 60.0, 5.0  # seconds


@dataclass(slots=True)
class _Rest:
    """What is still there of a machine."""

    instances: dict[str, str] = field(default_factory=dict)  # id -> state
    addresses: list[str] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    volumes: list[str] = field(default_factory=list)
    interfaces: list[str] = field(default_factory=list)
    images: list[str] = field(default_factory=list)
    snapshots: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        disks = [*self.volumes, *self.images, *self.snapshots]
        return ", ".join([*self.instances, *self.addresses, *self.groups, *disks, *self.interfaces])


def remove(account: Account, watch: Watch, id: str, data: Mapping[str, Any], record: Recorder, expected: str) -> None:
    """Remove a machine's resources, or one resource by its id.

    Args:
        expected: the number of the account that it was made in.

    Raises:
        PymachineError: something is still there; says what.
    """
    token = str(data.get("token", "")) or (id.removeprefix(marks.BY_TOKEN) if id.startswith(marks.BY_TOKEN) else "")
    rest = _Rest()
    try:
        with account.errors("look for what was made"):
            account.verify(expected)  # in another account nothing of it is there, and nothing must be concluded
            rest = _look(account, token, id, data, record)
            if id.startswith("i-") and not any(state not in ENDED for state in rest.instances.values()):
                record.progress(f"{id} is gone already")
        _take_away(account, watch, rest, record)
    except PymachineError as error:
        if str(rest):
            error.cause = f"{error.cause}; still there: {rest}" if error.cause else f"still there: {rest}"
        raise


def _look(account: Account, token: str, id: str, data: Mapping[str, Any], record: Recorder) -> _Rest:
    rest = _Rest()
    by_kind: dict[str, list[str]] = {
        "eipalloc-": rest.addresses, "sg-": rest.groups, "vol-": rest.volumes, "eni-": rest.interfaces,
        "ami-": rest.images, "snap-": rest.snapshots,
    }  # fmt: skip
    ids = [id, *(str(data[key]) for key in ("instance", "group", "allocation") if data.get(key))]
    for each in dict.fromkeys(ids):
        if each.startswith("i-"):
            rest.instances |= {one: said["State"]["Name"] for one, said in by_id(account, [each]).items()}
        for prefix, place in by_kind.items():
            if each.startswith(prefix):
                place.append(each)
    if token:
        filters = marks.marked(marks.OPERATION, token)
        found = describe(account, filters)
        until = min(float(data.get("attempted_at") or 0) + _RECENT, time.time() + _SETTLES)
        while not found and not rest.instances and time.time() < until:
            pause(record, 1.0, "what was asked for to be listed")
            found = describe(account, filters)
        rest.instances |= {each["InstanceId"]: each["State"]["Name"] for each in found}
        # Still not listed: to terminate it may succeed all the same, and if there is none it does no harm.
        if not rest.instances and time.time() < float(data.get("attempted_at") or 0) + _RECENT:
            rest.instances = {each: "not listed" for each in ids if each.startswith("i-")}
        ec2 = account.reads()
        rest.addresses += [each["AllocationId"] for each in ec2.describe_addresses(Filters=filters)["Addresses"]]
        rest.groups += [each["GroupId"] for each in ec2.describe_security_groups(Filters=filters)["SecurityGroups"]]
        if data.get(baking.BEGUN):
            images, snapshots = baking.unfinished(account, filters)
            rest.images += [each["ImageId"] for each in images]
            rest.snapshots += [each["SnapshotId"] for each in snapshots]
    rest.instances = {each: state for each, state in rest.instances.items() if state != "terminated"}
    rest.addresses, rest.groups = list(dict.fromkeys(rest.addresses)), list(dict.fromkeys(rest.groups))
    return rest


def _take_away(account: Account, watch: Watch, rest: _Rest, record: Recorder) -> None:
    ec2 = account.effects()
    for each, state in list(rest.instances.items()):
        if state not in ENDED:
            record.progress(f"terminating {each}")
            _gone(account, f"terminate {each}", record, partial(ec2.terminate_instances, InstanceIds=[each]))
    for each in list(rest.instances):
        watch.wait_ended(each, record)
        del rest.instances[each]
    for each in list(rest.addresses):
        with account.errors(f"release {each}"):
            elasticip.release(account, each, record)
        rest.addresses.remove(each)
    for each in list(rest.interfaces):
        delete = partial(ec2.delete_network_interface, NetworkInterfaceId=each)
        _gone(account, f"delete {each}", record, delete)
        rest.interfaces.remove(each)
    for each in list(rest.volumes):
        _gone(account, f"delete {each}", record, partial(ec2.delete_volume, VolumeId=each))
        rest.volumes.remove(each)
    with account.errors("remove an image"):
        baking.take_away(account, rest.images, rest.snapshots, record)
    rest.images, rest.snapshots = [], []
    for each in list(rest.groups):
        with account.errors(f"delete {each}"):
            delete_group(account, each, record)
        rest.groups.remove(each)


def _gone(account: Account, doing: str, record: Recorder, act: Callable[[], Any]) -> None:
    """An effect that may be repeated; what is not there any more is success."""
    with account.errors(doing):
        try:
            insist(record, doing, act)
        except ClientError as error:
            if code_of(error) not in NOT_FOUND and not code_of(error).endswith(".NotFound"):
                raise


def find(account: Account, store: str) -> list[Found]:
    """Everything that carries a store's marks, what must go first first; each type of resource is asked by itself.

    But not an image that is finished: nothing owns that, and ``gc`` must never take it for something left behind.
    """
    filters, ec2 = marks.marked(marks.STORE, store), account.reads()
    with account.errors("look for what was made"):
        found: list[tuple[str, str, Mapping[str, Any]]]
        found = [("instance", each["InstanceId"], each) for each in describe(account, filters)
                 if each["State"]["Name"] not in ENDED]  # fmt: skip
        lists: tuple[tuple[str, str, str, str, list[dict[str, Any]]], ...] = (
            ("elastic-ip", "describe_addresses", "Addresses", "AllocationId", []),
            ("network-interface", "describe_network_interfaces", "NetworkInterfaces", "NetworkInterfaceId",
             [{"Name": "status", "Values": ["available"]}]),
            ("volume", "describe_volumes", "Volumes", "VolumeId", [{"Name": "status", "Values": ["available"]}]),
            ("security-group", "describe_security_groups", "SecurityGroups", "GroupId", []),
        )  # fmt: skip
        for kind, call, key, key_of_id, more in lists:
            if ec2.can_paginate(call):
                pages = ec2.get_paginator(call).paginate(Filters=filters + more)
            else:
                pages = [getattr(ec2, call)(Filters=filters + more)]
            for page in pages:
                # Tags of interfaces are under another name there.
                found += [
                    (kind, each[key_of_id], {"Tags": each.get("Tags") or each.get("TagSet", [])}) for each in page[key]
                ]
        images, snapshots = baking.unfinished(account, filters)
        found += [("image", each["ImageId"], each) for each in images]
        found += [("snapshot", each["SnapshotId"], each) for each in snapshots]
    return [
        Found(
            driver=marks.NAME,
            kind=kind,
            id=one,
            machine=marks.tag(each, marks.MACHINE),
            token=marks.tag(each, marks.OPERATION),
        )
        for kind, one, each in found
    ]
