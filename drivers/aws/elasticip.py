"""An address that stays: allocated with our marks, looked for before another one is, and released with the machine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from machine.driver import Recorder
from machine.drivers.aws import marks
from machine.drivers.aws.account import Account
from machine.drivers.aws.errors import NOT_FOUND, THROTTLED, UNKNOWN_OUTCOME, code_of
from machine.drivers.aws.group import pause

_TRIES = 4


def ensure_address(account: Account, request: Mapping[str, Any], token: str, record: Recorder, *, look: bool) -> str:
    """Allocate the machine's address, or find the one that was allocated under this token; EC2 takes none for it.

    Returns:
        The id of its allocation.
    """
    found = find_address(account, token) if look else None
    for turn in range(_TRIES):
        if found is not None:
            break
        record.check("an Elastic IP")
        try:
            found = account.effects().allocate_address(
                Domain="vpc", TagSpecifications=marks.specification(request, token, "elastic-ip")
            )["AllocationId"]
        except UNKNOWN_OUTCOME:
            if turn + 1 == _TRIES:
                raise
            found = find_address(account, token)
        except ClientError as error:
            if code_of(error) not in THROTTLED or turn + 1 == _TRIES:
                raise
            pause(record, 2.0**turn, "an Elastic IP")
    assert found is not None  # noqa: S101 - else it has raised
    return found


def associate(account: Account, allocation: str, instance: str, record: Recorder) -> str:
    """Give an instance its address; it has it already is success.

    Returns:
        The address.
    """
    for turn in range(_TRIES):
        record.check("an Elastic IP")
        try:
            account.effects().associate_address(AllocationId=allocation, InstanceId=instance, AllowReassociation=True)
            break
        except UNKNOWN_OUTCOME:
            if turn + 1 == _TRIES:
                raise
        except ClientError as error:
            if code_of(error) not in THROTTLED or turn + 1 == _TRIES:
                raise
            pause(record, 2.0**turn, "an Elastic IP")
    addresses = account.reads().describe_addresses(AllocationIds=[allocation])["Addresses"]
    return str(addresses[0]["PublicIp"])


def release(account: Account, allocation: str, record: Recorder) -> None:
    """Release an address; already released is success."""
    for turn in range(_TRIES):
        record.check("an Elastic IP to be released")
        try:
            account.effects().release_address(AllocationId=allocation)
        except UNKNOWN_OUTCOME:
            if turn + 1 == _TRIES:
                raise
        except ClientError as error:
            if code_of(error) in NOT_FOUND:
                return
            if code_of(error) not in THROTTLED | {"InvalidIPAddress.InUse"} or turn + 1 == _TRIES:
                raise
            pause(record, 2.0**turn, "an Elastic IP to be released")
        else:
            return


def find_address(account: Account, token: str) -> str | None:
    """The allocation that carries this token."""
    found = account.reads().describe_addresses(Filters=marks.marked(marks.OPERATION, token))["Addresses"]
    return str(found[0]["AllocationId"]) if found else None
