"""The knobs of the cloud, and what of it moves by itself: instances that are about to be in another state."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.testbed.aws.hosts import Hosts


@dataclass
class Timing:
    """How long a state lasts, in seconds; ``math.inf``: until `World.settle`."""

    pending: float = 0.05
    stopping: float = 0.05
    shutting_down: float = 0.05
    image_pending: float = 0.05
    terminated_visible: float = 3600.0  # how long a terminated instance is still described


@dataclass(frozen=True)
class Change:
    """Something that will have happened to a thing."""

    thing: str  # its id
    ready: Callable[[], bool]
    then: Callable[[], None]
    timed: bool  # `World.settle` lets it happen


@dataclass
class World:
    """All of it; there is one per process."""

    timing: Timing = field(default_factory=Timing)
    vcpus: int | None = None  # quota of on-demand vCPUs in a region, standard families; None: no end
    spot_vcpus: int | None = None
    unseen: int = 0  # how many descriptions a new instance is missing from
    refusal: tuple[str, str, int] | None = None  # code, message and status that the launch in hand ends with
    hosts: Hosts | None = None
    lock: threading.RLock = field(default_factory=threading.RLock)
    _changes: list[Change] = field(default_factory=list)

    def reset(self) -> None:
        """Back to the defaults."""
        with self.lock:
            self.timing = Timing()
            self.vcpus = self.spot_vcpus = self.refusal = None
            self.unseen = 0
            self._changes.clear()

    def after(self, seconds: float, thing: str, then: Callable[[], None], *, settles: bool = True) -> None:
        """Let something happen to a thing in some time, instead of whatever else was to happen to it."""
        due = time.monotonic() + seconds
        self._replace(Change(thing, lambda: time.monotonic() >= due, then, timed=settles))

    def once(self, ready: Callable[[], bool], thing: str, then: Callable[[], None]) -> None:
        """Let something happen to a thing as soon as something else has."""
        self._replace(Change(thing, ready, then, timed=False))

    def advance(self) -> None:
        """Let happen what is due; called with each request."""
        self._run(lambda change: change.ready())

    def settle(self) -> None:
        """Let happen now whatever an instance or an image becomes with time only."""
        self._run(lambda change: change.timed or change.ready())

    def _replace(self, change: Change) -> None:
        with self.lock:
            self._changes = [each for each in self._changes if each.thing != change.thing] + [change]

    def _run(self, due: Callable[[Change], bool]) -> None:
        with self.lock:
            for change in [each for each in self._changes if due(each)]:
                self._changes.remove(change)
                change.then()


WORLD = World()


def wraps(owner: Any, name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Put a function in place of a method of moto's; it is given the original first."""

    def put(function: Callable[..., Any]) -> Callable[..., Any]:
        original = getattr(owner, name)

        def replacement(*args: Any, **kwargs: Any) -> Any:
            return function(original, *args, **kwargs)

        replacement.__name__ = name
        setattr(owner, name, replacement)
        return function

    return put
