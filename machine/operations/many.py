"""The same for many machines at once: one bounded pool, every failure reported, none stops the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol, TypeVar

from machine.errors import PymachineError


class Named(Protocol):
    """A machine, or what shall become one."""

    @property
    def name(self) -> str:
        """The machine's name."""


T = TypeVar("T")
M = TypeVar("M", bound=Named)
WORKERS = 32  # SSH handshakes and API calls wait far more than they compute


def for_each(
    machines: Sequence[M], action: Callable[[M], T], *, workers: int = WORKERS
) -> list[tuple[M, T | PymachineError]]:
    """Do something with each machine, side by side.

    Returns:
        Each machine with what came of it, or with the error it ended in; in the order given.
    """

    def attempt(machine: M) -> T | PymachineError:
        try:
            return action(machine)
        except PymachineError as error:
            error.located(machine=machine.name)
            return error

    if len(machines) == 1:
        return [(machines[0], attempt(machines[0]))]  # on this thread: signals and prompts work as usual
    with ThreadPoolExecutor(max_workers=max(min(workers, len(machines)), 1)) as pool:
        return list(zip(machines, pool.map(attempt, machines), strict=True))
