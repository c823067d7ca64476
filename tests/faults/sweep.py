"""The same at many points of one operation: learn the points from a run that goes well, then a world for each."""

from __future__ import annotations

import itertools
import os
import queue
import traceback
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from machine.trust.certificates import new_authority
from tests.faults.nursery import Nursery
from tests.faults.world import World

ALL = os.environ.get("KILL_POINTS") == "all"


@dataclass(frozen=True)
class Case:
    """One operation, and what must have happened before it."""

    command: str
    before: tuple[str, ...] = ()
    again: str = ""  # what an operator types to go on; left out: the same command
    machine: str = "web"  # which it is about

    @property
    def kind(self) -> str:
        """What the journal calls it."""
        verb = next(word for word in self.command.split() if word[0] != "-" and "/" not in word)
        return {"rm": "remove"}.get(verb, verb)

    @property
    def go_on(self) -> str:
        return self.again or self.command


GENERIC = "create -d generic --generic-ip-address 192.0.2.7 web"
MEMORY = "create -d memory web"
CASES = {
    "create": Case(MEMORY, again="create web"),
    "stop": Case("stop web", (MEMORY,)),
    "kill": Case("kill web", (MEMORY,)),
    "start": Case("start web", (MEMORY, "stop web")),
    "restart": Case("restart web", (MEMORY,)),
    "provision": Case("provision web", (MEMORY,)),
    "upgrade": Case("upgrade web", (MEMORY,)),
    "upgrade-stopped": Case("upgrade web", (MEMORY, "stop web")),
    "regenerate-certs": Case("regenerate-certs -f --client-certs web", (MEMORY,)),
    "allow": Case("allow web", (MEMORY,)),
    "resize": Case("resize web --memory-size 2", (MEMORY, "stop web")),
    "rm": Case("rm -y web", (MEMORY,)),
    "bake": Case("bake -d memory web", machine="bake-web"),
    "create-given-host": Case(GENERIC, again="create web"),
    "restart-given-host": Case("restart web", (GENERIC,)),
    "rm-given-host": Case("rm -y web", (GENERIC,)),
    "create-given-authority": Case(
        "--tls-ca-cert HOME/ca.pem --tls-ca-key HOME/ca-key.pem create -d memory web", again="create web"
    ),
    "create-given-endpoint": Case("create -d none --url tcp://192.0.2.9:2375 web", again="create web"),
}


@dataclass(frozen=True)
class Learnt:
    """A run that went well."""

    before: World  # as it was
    points: list[tuple[str, str]]  # each with a fingerprint of the world at that moment
    end: dict[str, Any]  # as it is then

    @property
    def all(self) -> list[str]:
        """Every point."""
        return [point for point, _ in self.points]

    @property
    def different(self) -> list[str]:
        """One point for each state that a death can leave behind; every point, when KILL_POINTS=all."""
        if ALL:
            return self.all
        kept = {fingerprint: point for point, fingerprint in reversed(self.points)}
        return [point for point, fingerprint in self.points if kept[fingerprint] == point]


class Sweep:
    """Runs something at many points, as many at once as there are nurseries."""

    def __init__(self, place: Path, nurseries: Sequence[Nursery]) -> None:
        self._place = place
        self._free: queue.SimpleQueue[Nursery] = queue.SimpleQueue()
        self._count = len(nurseries)
        self._numbers = itertools.count()
        self._learnt: dict[Case, Learnt] = {}
        for each in nurseries:
            self._free.put(each)

    def learn(self, case: Case) -> Learnt:
        """Let it run once, undisturbed; the same case again costs nothing."""
        if case not in self._learnt:
            nursery = self._free.get()
            try:
                before = World(self._place / f"case-{next(self._numbers)}" / "before", nursery)
                authority = new_authority("somebody")
                (before.home / "ca.pem").write_bytes(authority.certificate)
                (before.home / "ca-key.pem").write_bytes(authority.key)
                if case.before:
                    before.ok(*case.before)
                self._learnt[case] = self.learn_in(before, case.command)
            finally:
                self._free.put(nursery)
        return self._learnt[case]

    def learn_in(self, before: World, command: str, *, code: int = 0) -> Learnt:
        """Let a command line run once in a copy of a world."""
        clean = before.copy(before.directory.with_name("clean"))
        child = clean.start(command, record=True)
        (ended,) = clean.nursery.wait(child)
        assert ended.code == code, ended
        return Learnt(before, clean.nursery.points(child), clean.described())

    def each(self, learnt: Learnt, points: Sequence[str], do: Callable[[World, str], None]) -> None:
        """Do something in a copy of the world from before, for every point; all failures are shown together."""
        assert points

        def one(point: str) -> str | None:
            nursery = self._free.get()
            world = learnt.before.copy(self._place / f"world-{next(self._numbers)}", nursery)
            try:
                do(world, point)
                return None
            except AssertionError as error:
                return f"--- {point}: {str(error)[:1500]}"
            except Exception:  # noqa: BLE001 - shown with all others, below
                return f"--- {point}: {traceback.format_exc()}"
            finally:
                world.remove()
                self._free.put(nursery)

        with ThreadPoolExecutor(self._count) as pool:
            failures = [each for each in pool.map(one, points) if each is not None]
        assert not failures, f"{len(failures)} of {len(points)} points:\n" + "\n".join(failures[:20])


def sample(points: Sequence[str], count: int) -> list[str]:
    """So many of them, evenly spread, the first and the last among them; all, when KILL_POINTS=all."""
    if ALL or len(points) <= count:
        return list(points)
    return [points[round(number * (len(points) - 1) / (count - 1))] for number in range(count)]
