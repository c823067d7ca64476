"""What drivers keep on this computer so that the next machine is made sooner, and freeing it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from machine.driver import CacheEntry, CachingDriver, Driver
from machine.errors import PymachineError


@dataclass(frozen=True, slots=True)
class Cached:
    """The caches of all drivers."""

    entries: Sequence[CacheEntry]
    errors: Sequence[PymachineError]  # of those that could not be looked at


def cached(names: Sequence[str], load: Callable[[str], Driver]) -> Cached:
    """All that the drivers of these names keep; one that cannot be asked takes nothing else down."""
    entries: list[CacheEntry] = []
    errors: list[PymachineError] = []
    for name in names:
        try:
            driver = load(name)
            if isinstance(driver, CachingDriver):
                entries += driver.cached()
        except PymachineError as error:
            errors.append(error)
    return Cached(entries, errors)


def drop(entry: CacheEntry, load: Callable[[str], Driver]) -> bool:
    """Free one entry, unless a machine needs it by now.

    Raises:
        PymachineError: it could not be removed.
    """
    driver = load(entry.driver)
    assert isinstance(driver, CachingDriver)  # noqa: S101 - the entry is from it
    return driver.drop(entry.id)
