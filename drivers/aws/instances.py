"""Instances as EC2 describes them: looked at together, however many threads ask, and in our words."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from machine.driver import Recorder
from machine.drivers.aws.account import Account
from machine.errors import DriverError, InstanceGone
from machine.model import Observation, State

_AT_ONCE = 200  # values that EC2 takes in one filter
_FIRST, _LONGEST = 0.25, 2.0  # seconds between two looks
_STATES = {
    "pending": State.STARTING,
    "running": State.RUNNING,
    "stopping": State.STOPPING,
    "stopped": State.STOPPED,
    "shutting-down": State.GONE,
    "terminated": State.GONE,
}
_TAKEN = ("Server.SpotInstanceTermination", "Server.SpotInstanceShutdown")
ENDED = ("shutting-down", "terminated")

Description = Mapping[str, Any]


def describe(account: Account, filters: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """All instances that a filter lets through, page by page."""
    pages = account.reads().get_paginator("describe_instances").paginate(Filters=list(filters))
    return [each for page in pages for one in page["Reservations"] for each in one["Instances"]]


def by_id(account: Account, ids: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Instances by their ids; one that EC2 does not know is left out. As a filter: an unknown id refuses no other."""
    wanted = sorted(set(ids))
    found: dict[str, dict[str, Any]] = {}
    for at in range(0, len(wanted), _AT_ONCE):
        part = wanted[at : at + _AT_ONCE]
        found |= {each["InstanceId"]: each for each in describe(account, [{"Name": "instance-id", "Values": part}])}
    return found


def observed(found: Description | None, *, private: bool) -> Observation:
    """An instance in our words; None: EC2 does not know it."""
    if found is None:
        return Observation(state=State.GONE)
    state = _STATES.get(found["State"]["Name"], State.UNKNOWN)
    if state is State.GONE and found.get("StateReason", {}).get("Code") in _TAKEN:
        return Observation(state=State.PREEMPTED, detail=_why_taken(found))
    return Observation(state=state, address=address_of(found, private=private))


def _why_taken(found: Description) -> str:
    """What EC2 says of a spot instance that it took back, and when if it says so: ``… (2026-06-01 12:00:00 GMT)``."""
    when = re.search(r"\(([^()]+)\)\s*$", str(found.get("StateTransitionReason", "")))
    said = found["StateReason"].get("Message", "")
    return f"EC2 took the spot instance away{f' ({when[1]})' if when else ''}: {said}"


def address_of(found: Description, *, private: bool) -> str | None:
    """Where it is reached; None while it has no address."""
    ipv6 = next(
        (
            each["Ipv6Address"]
            for interface in found.get("NetworkInterfaces", ())
            for each in interface.get("Ipv6Addresses", ())
        ),
        None,
    )
    if private:
        return found.get("PrivateIpAddress") or ipv6
    return found.get("PublicIpAddress") or ipv6


def why_ended(found: Description) -> str:
    """What EC2 says of an instance that ended."""
    reason = found.get("StateReason", {})
    return " ".join(str(reason.get(key)) for key in ("Code", "Message") if reason.get(key)) or "no reason was given"


class Watch:
    """Looks at the instances of an account for all threads that wait for one: one call for all of them.

    A look is as old as its call; who asks while one is under way gets the next.
    """

    def __init__(self, account: Account) -> None:
        self._account = account
        self._waiting: dict[str, int] = {}  # instance -> how many wait for it
        self._seen: dict[str, dict[str, Any]] = {}
        self._at = 0.0
        self._asked: frozenset[str] = frozenset()
        self._state = threading.Lock()
        self._call = threading.Lock()

    def wait_ended(self, id: str, record: Recorder) -> None:
        """Wait until an instance that is being terminated is."""
        self._wait(id, lambda found: found is None or found["State"]["Name"] == "terminated", record, f"{id} to end")

    def wait(self, id: str, state: str, record: Recorder) -> dict[str, Any]:
        """Wait until an instance is in a state.

        Raises:
            DriverError: it ended meanwhile; what EC2 says of it.
            Cancelled, DeadlineExceeded: in words that name it.
        """

        def done(found: Mapping[str, Any] | None) -> bool:
            if found is None:  # made a moment ago, and not every part of EC2 knows it yet
                return False
            if found["State"]["Name"] in ENDED:
                raise DriverError(
                    f"the instance {id} ended", cause=why_ended(found), hint="look at the cause, then try again"
                )
            return bool(found["State"]["Name"] == state)

        found = self._wait(id, done, record, f"{id} to be {state}")
        assert found is not None  # noqa: S101 - else it was not done
        return found

    def _wait(
        self, id: str, done: Callable[[dict[str, Any] | None], bool], record: Recorder, waiting_for: str
    ) -> dict[str, Any] | None:
        """Wait until an instance is as wanted.

        Args:
            done: whether it is; of one that EC2 does not know, it is asked with None.
        """
        with self._state:
            self._waiting[id] = self._waiting.get(id, 0) + 1
        turn = _FIRST
        try:
            while True:
                record.check(waiting_for)
                found = self._look(id, turn)
                if done(found):
                    return found
                self._sleep(turn, record, waiting_for)
                turn = min(turn * 1.5, _LONGEST)
        finally:
            with self._state:
                self._waiting[id] -= 1
                if not self._waiting[id]:
                    del self._waiting[id]

    def _look(self, id: str, fresh: float) -> dict[str, Any] | None:
        with self._call:  # whoever waited for it finds what the one before has seen
            with self._state:
                if id in self._asked and time.monotonic() - self._at < fresh / 2:
                    return self._seen.get(id)
                wanted = frozenset(self._waiting)
            with self._account.errors("look at instances"):
                seen = by_id(self._account, wanted)
            with self._state:
                self._seen, self._asked, self._at = seen, wanted, time.monotonic()
                return seen.get(id)

    @staticmethod
    def _sleep(seconds: float, record: Recorder, waiting_for: str) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            record.check(waiting_for)
            time.sleep(min(left, 0.1))


def not_there(id: str) -> InstanceGone:
    """What is said of an instance that EC2 does not know."""
    return InstanceGone(f"the instance {id} is gone", cause="EC2 does not know it any more", hint="pymachine rm NAME")
