"""RunInstances, such that whatever happens there is one instance: each attempt has its own token, recorded first.

An attempt is a market and a place. Its call is repeated under its token, with the same bytes, until EC2 answers: the
same token gives the same instance. Where there is no capacity the next attempt has the next token.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from botocore.exceptions import ClientError

from machine.driver import Recorder
from machine.drivers.aws import marks
from machine.drivers.aws.account import Account
from machine.drivers.aws.errors import NO_CAPACITY, code_of, hint_of, message_of
from machine.drivers.aws.insisting import insist
from machine.drivers.aws.instances import ENDED, describe
from machine.errors import DriverError

SPOT, ON_DEMAND = "spot", "on-demand"


def attempt_token(token: str, number: int) -> str:
    """The token of one attempt: at most 64 ASCII characters."""
    return f"{token[:56]}-{number}"


def launch(
    account: Account,
    request: Mapping[str, Any],
    token: str,
    user_data: bytes,
    groups: list[str],
    record: Recorder,
    remember: Callable[..., None],
) -> dict[str, Any]:
    """Make the instance, or find the one that was made.

    Args:
        remember: records further data about the instance that is about to be, durably.

    Returns:
        The instance as EC2 described it in its reply; it may be pending.

    Raises:
        ClientError, DriverError: no attempt made one.
    """
    attempts = request["attempts"]
    before = record.recall()
    number, place = int(before.get("attempt", 0)), int(before.get("place", 0))
    refused: list[str] = []
    while True:
        attempt = attempts[place]
        remember(attempt=number, place=place)
        try:
            return _run(account, run_arguments(request, token, number, attempt, user_data, groups), record)
        except ClientError as error:
            if code_of(error) == "IdempotentInstanceTerminated":  # made by this attempt, and ended since
                number += 1
                continue
            if code_of(error) == "IdempotentParameterMismatch":
                # Asked for in other words once: by another version of this code, or with a group that is gone.
                there = _made(account, token, number)
                if there is not None:
                    return there
                number += 1
                continue
            if code_of(error) not in NO_CAPACITY:
                raise
            refused.append(f"{_words(attempt)}: {message_of(error)}")
            if place + 1 == len(attempts):
                if len(attempts) == 1:
                    raise
                raise DriverError(
                    "EC2 has no capacity for this machine now",
                    cause="; ".join(refused),
                    hint=hint_of(code_of(error)),
                ) from error
            record.progress(f"{_words(attempt)}: {code_of(error)}; next: {_words(attempts[place + 1])}")
        number, place = number + 1, place + 1


def _made(account: Account, token: str, number: int) -> dict[str, Any] | None:
    """What an attempt has made and is there."""
    found = describe(account, [{"Name": "client-token", "Values": [attempt_token(token, number)]}])
    return next((each for each in found if each["State"]["Name"] not in ENDED), None)


def _run(account: Account, arguments: Mapping[str, Any], record: Recorder) -> dict[str, Any]:
    """One attempt, until EC2 has said what became of it: under its token a repeat finds what the first has made."""
    act = partial(account.effects().run_instances, **arguments)
    # Not every part of EC2 knows a new group at once.
    made: dict[str, Any] = insist(record, "start an instance", act, again=("InvalidGroup.NotFound",))["Instances"][0]
    return made


def run_arguments(
    request: Mapping[str, Any],
    token: str,
    number: int,
    attempt: Mapping[str, Any],
    user_data: bytes,
    groups: list[str],
) -> dict[str, Any]:
    """What RunInstances is called with in one attempt; a question beforehand (``permissions.py``) is the same call."""
    kinds = ["instance", "volume", "network-interface"]
    arguments = {
        **request["run"],
        "MinCount": 1,
        "MaxCount": 1,
        "ClientToken": attempt_token(token, number),
        "UserData": user_data,  # boto3 encodes it
        "TagSpecifications": marks.specification(request, token, *kinds),
    }
    if request["interface"] is None:  # as the subnet has it
        arguments |= {"SubnetId": attempt["subnet"], "SecurityGroupIds": groups}
    else:
        own = {"DeviceIndex": 0, "SubnetId": attempt["subnet"], "Groups": groups, "DeleteOnTermination": True}
        arguments["NetworkInterfaces"] = [{**own, **request["interface"]}]
    if attempt["market"] == SPOT:
        arguments["InstanceMarketOptions"] = {"MarketType": "spot", "SpotOptions": dict(request["spot"])}
        arguments["TagSpecifications"] += marks.specification(request, token, "spot-instances-request")
    return arguments


def _words(attempt: Mapping[str, Any]) -> str:
    market = "on the spot market" if attempt["market"] == SPOT else "on demand"
    return f"{market} in {attempt['zone']}"


@contextlib.contextmanager
def forgetting(forget: Callable[[], None]) -> Any:
    """When EC2 does not know what a note said there was, the note goes: the next check asks again."""
    try:
        yield
    except ClientError as error:
        if code_of(error) in ("InvalidAMIID.NotFound", "InvalidAMIID.Unavailable", "InvalidSubnetID.NotFound"):
            forget()
        raise
