"""A call with an effect, until AWS has said what became of it: one place where anything is repeated, and by which rule.

boto3 repeats none of them (`account._EFFECTS`): who repeats must know whether the first may have had its effect.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from typing import TypeVar

from botocore.exceptions import ClientError

from machine.driver import Recorder
from machine.drivers.aws.errors import THROTTLED, TROUBLED, UNKNOWN_OUTCOME, code_of

T = TypeVar("T")
_TRIES = 6
_FIRST, _LONGEST = 0.5, 8.0  # seconds between two tries


def insist(
    record: Recorder,
    what: str,
    act: Callable[[], T],
    *,
    again: Collection[str] = (),
    found: Callable[[], T | None] | None = None,
) -> T:
    """Call until it is answered, within reason.

    Args:
        what: that is asked for, after "EC2 to": ``start i-1``.
        again: codes of refusals that pass by themselves here, besides those that always do.
        found: for a call that must not be made twice: looks for what the last one may have made. Left out: to repeat
            the call is safe.

    Raises:
        ClientError, BotoCoreError: the last answer.
        Cancelled, DeadlineExceeded, OperationInProgress: it is time to stop.
    """
    turn = 0
    while True:
        record.check(f"EC2 to {what}")
        unknown = False
        try:
            return act()
        except UNKNOWN_OUTCOME:
            unknown = True
            if turn + 1 == _TRIES:
                raise
        except ClientError as error:
            code = code_of(error)
            unknown = code in TROUBLED
            passes = unknown or code in THROTTLED or code in again
            if not passes or turn + 1 == _TRIES:
                raise
        pause(record, min(_FIRST * 2**turn, _LONGEST), f"EC2 to {what}")
        if unknown and found is not None and (there := found()) is not None:
            return there
        turn += 1


def pause(record: Recorder, seconds: float, waiting_for: str) -> None:
    """Wait, and stop waiting when it is time to."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        record.check(waiting_for)
        time.sleep(min(left, 0.2))
