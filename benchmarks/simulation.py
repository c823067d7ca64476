"""A thousand machines that only take time, through the scheduler of `fleet apply`: ``simulation.py FILE``.

What each takes is drawn beforehand: seconds from a log-normal distribution, and whether it fails in the end. Some
really connect to an SSH server and run ``true`` as well. Prints as JSON how long the whole took, and how long it would
have taken a scheduler that costs nothing, with the same tasks in the same order and as long as they really were.
"""

from __future__ import annotations

import heapq
import json
import math
import random
import sys
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MEDIAN_SECONDS, SIGMA = 0.5, 0.5  # of a quarter's scale: a create takes some two seconds
FAILS = 0.02
SAMPLE = 20  # one of so many is a real connection
SEED = 20


@dataclass(frozen=True, slots=True)
class Task:
    """A simulated machine."""

    machine: str
    seconds: float
    fails: bool
    connects: bool
    disturbs: bool = False


def drawn(count: int, seed: int = SEED) -> list[Task]:
    """So many machines; the same for the same seed."""
    chance = random.Random(seed)
    return [
        Task(
            machine=f"simulated-{number}",
            seconds=chance.lognormvariate(math.log(MEDIAN_SECONDS), SIGMA),
            fails=chance.random() < FAILS,
            connects=number % SAMPLE == 0,
        )
        for number in range(count)
    ]


def free_of_charge(groups: Iterable[tuple[Sequence[float], int]]) -> float:
    """What a scheduler that costs nothing needs for groups that wait for each other.

    The next task begins when one ends. Who does not know beforehand how long tasks take can do no better.

    Args:
        groups: of each the seconds of its tasks, in their order, and how many run at once.
    """
    total = 0.0
    for seconds, parallel in groups:
        ends = [0.0] * parallel
        for each in seconds:
            heapq.heapreplace(ends, ends[0] + each)
        total += max(ends)
    return total


def least(groups: Iterable[tuple[Sequence[float], int]]) -> float:
    """What no scheduler at all can be faster than: the longest task, or all work shared evenly, group after group."""
    return sum(max(max(seconds), sum(seconds) / parallel) for seconds, parallel in groups)


def main() -> int:
    """The command line."""
    from machine.errors import DriverError
    from machine.fleet.model import Limits
    from machine.fleet.schedule import Work, schedule

    with open(sys.argv[1]) as file:
        given = json.load(file)
    tasks, parallel = drawn(given["machines"]), given["parallel"]
    taken: dict[str, float] = {}
    connect = _connecting(given)

    def act(task: Task) -> None:
        begun = time.perf_counter()
        if task.connects:
            connect()
        time.sleep(task.seconds)
        taken[task.machine] = time.perf_counter() - begun
        if task.fails:
            raise DriverError("the provider has no room")

    limits = Limits(parallel=parallel, max_failures=len(tasks))
    first = len(tasks) // 5
    works = [
        Work(name="first", tasks=tasks[:first], limits=limits),
        Work(name="second", tasks=tasks[first:], depends=("first",), limits=limits),
    ]
    begun = time.perf_counter()
    outcomes = schedule(works, act)
    seconds = time.perf_counter() - begun
    if [each.task for each in outcomes if not each.done] != [each for each in tasks if each.fails]:
        raise AssertionError("others failed than should")
    durations = [([taken[task.machine] for task in work.tasks], parallel) for work in works]
    print(
        json.dumps(
            {
                "seconds": seconds,
                "free_of_charge": free_of_charge(durations),
                "least": least(durations),
                "threads": threading.active_count(),
            }
        )
    )
    return 0


def _connecting(given: Mapping[str, Any]) -> Any:
    from machine.deadline import Deadline
    from machine.ssh.connection import connect
    from machine.ssh.credentials import Credentials
    from machine.ssh.hostkeys import HostKeyPolicy

    policy, credentials = HostKeyPolicy(pinned=(given["host_key"],)), Credentials(machine_key=given["key"])

    def once() -> None:
        deadline = Deadline(60)
        with connect(given["address"], 22, "root", policy=policy, credentials=credentials, deadline=deadline) as host:
            host.run("true", deadline)

    return once


if __name__ == "__main__":
    sys.exit(main())
