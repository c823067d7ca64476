"""The same for many machines at once: one bounded pool, every failure reported, none stops the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from machine.errors import PymachineError
from machine.model import Machine

T = TypeVar("T")
WORKERS = 32  # SSH handshakes and API calls wait far more than they compute


def for_each(
    machines: Sequence[Machine], action: Callable[[Machine], T], *, workers: int = WORKERS
) -> list[tuple[Machine, T | PymachineError]]:
    """Do something with each machine, side by side.

    Returns:
        Each machine with what came of it, or with the error it ended in; in the order given.
    """

    def attempt(machine: Machine) -> T | PymachineError:
        try:
            return action(machine)
        except PymachineError as error:
            error.located(machine=machine.name)
            return error

    if len(machines) == 1:
        return [(machines[0], attempt(machines[0]))]  # on this thread: signals and prompts work as usual
    with ThreadPoolExecutor(max_workers=max(min(workers, len(machines)), 1)) as pool:
        return list(zip(machines, pool.map(attempt, machines), strict=True))
