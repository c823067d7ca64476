"""An address that stays: allocated with our marks, looked for before another one is, and released with the machine."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from botocore.exceptions import ClientError

from machine.driver import Recorder
from machine.drivers.aws import marks
from machine.drivers.aws.account import Account
from machine.drivers.aws.errors import NOT_FOUND, code_of
from machine.drivers.aws.insisting import insist

_NOT_YET = ("InvalidInstanceID.NotFound", "InvalidAllocationID.NotFound", "IncorrectInstanceState", "InvalidInstanceID")


def ensure_address(account: Account, request: Mapping[str, Any], token: str, record: Recorder, *, look: bool) -> str:
    """Allocate the machine's address, or find the one that was allocated under this token; EC2 takes none for it.

    Returns:
        The id of its allocation.
    """
    make = partial(
        account.effects().allocate_address,
        Domain="vpc",
        TagSpecifications=marks.specification(request, token, "elastic-ip"),
    )

    def allocate() -> str:
        return str(make()["AllocationId"])

    def find() -> str | None:
        return find_address(account, token)

    return (find() if look else None) or insist(record, "allocate an Elastic IP", allocate, found=find)


def associate(account: Account, allocation: str, instance: str, record: Recorder) -> str:
    """Give an instance its address; it has it already is success.

    Returns:
        The address.
    """
    act = partial(
        account.effects().associate_address, AllocationId=allocation, InstanceId=instance, AllowReassociation=True
    )
    # Not every part of EC2 knows a new instance or address at once.
    insist(record, f"give {instance} its Elastic IP", act, again=_NOT_YET)
    addresses = account.reads().describe_addresses(AllocationIds=[allocation])["Addresses"]
    return str(addresses[0]["PublicIp"])


def release(account: Account, allocation: str, record: Recorder) -> None:
    """Release an address; already released is success."""
    act = partial(account.effects().release_address, AllocationId=allocation)
    try:
        insist(record, f"release {allocation}", act, again=("InvalidIPAddress.InUse",))
    except ClientError as error:
        if code_of(error) not in NOT_FOUND:
            raise


def find_address(account: Account, token: str) -> str | None:
    """The allocation that carries this token."""
    found = account.reads().describe_addresses(Filters=marks.marked(marks.OPERATION, token))["Addresses"]
    return str(found[0]["AllocationId"]) if found else None
