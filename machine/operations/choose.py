"""Which driver a plain ``create NAME`` uses: the best one for this very computer that can work here."""

from __future__ import annotations

import typing
from dataclasses import dataclass

from machine.driver import Driver, LocalDriver, driver_names, load_driver
from machine.errors import PreCheckFailed, PymachineError


@dataclass(frozen=True, slots=True)
class Choice:
    """The driver that was chosen, and why not a better one."""

    driver: Driver
    why: str


def choose_local_driver() -> Choice:
    """The best local driver that can work here.

    Raises:
        PreCheckFailed: none can; each one's reason is given.
    """
    candidates: list[tuple[int, Driver]] = []
    refused: list[str] = []
    for name in driver_names():
        try:
            driver = load_driver(name)
        except PymachineError as error:  # a broken plugin takes nothing else down
            refused.append(f"{name}: {error.cause or error}")
            continue
        if driver.capabilities.local_rank is not None:
            candidates.append((driver.capabilities.local_rank, driver))
    for _, driver in sorted(candidates, key=lambda each: each[0]):
        reason = typing.cast(LocalDriver, driver).usable_here()
        if reason is None:
            why = f"{driver.name}: {driver.summary}"
            return Choice(driver, why + (f" (not {'; not '.join(refused)})" if refused else ""))
        refused.append(f"{driver.name}: {reason}")
    raise PreCheckFailed(
        "no local driver can work here",
        cause="; ".join(refused) or "none is installed",
        hint="any host with SSH will do: pymachine create -d generic --generic-ip-address HOST NAME",
    )
