"""The driver protocol: what a provider must promise, how it declares its options, and how it is found.

A driver knows its provider and nothing else: no SSH session, no certificate, no store, no printing. It is a class
registered under the entry-point group ``pymachine.drivers``; the built-in ones go the same way as a plugin.
Every method can be repeated: it looks first, then does what is missing.
"""

from __future__ import annotations

import difflib
import functools
import sys
import typing
from typing import Any

from machine.driver.abilities import (
    AccessDriver,
    AccountDriver,
    Baked,
    BakingDriver,
    CacheEntry,
    CachingDriver,
    EndpointDriver,
    ExplainingDriver,
    FirewallDriver,
    GivenEndpoint,
    LocalDriver,
    Missing,
    Price,
    PricingDriver,
    ResizingDriver,
)
from machine.driver.options import (
    DeclaredOption,
    OptionInfo,
    Resolved,
    declared_options,
    option,
    parse_option,
    resolve,
    resolve_options,
    stored_options,
)
from machine.driver.protocol import (
    Capabilities,
    Driver,
    Found,
    HostIdentity,
    NoNotes,
    Notes,
    Recorder,
)
from machine.errors import PreCheckFailed, UnknownDriver

__all__ = [
    "ENTRY_POINT_GROUP",
    "AccessDriver",
    "AccountDriver",
    "Baked",
    "BakingDriver",
    "CacheEntry",
    "CachingDriver",
    "Capabilities",
    "DeclaredOption",
    "Driver",
    "EndpointDriver",
    "ExplainingDriver",
    "FirewallDriver",
    "Found",
    "GivenEndpoint",
    "HostIdentity",
    "LocalDriver",
    "Missing",
    "NoNotes",
    "Notes",
    "OptionInfo",
    "Price",
    "PricingDriver",
    "Recorder",
    "ResizingDriver",
    "Resolved",
    "declared_options",
    "driver_names",
    "load_driver",
    "option",
    "parse_option",
    "resolve",
    "resolve_options",
    "stored_options",
]

ENTRY_POINT_GROUP = "pymachine.drivers"


def driver_names() -> list[str]:
    """The names of all installed drivers, without importing one."""
    return sorted({point.name for point in _entry_points()})


def load_driver(name: str) -> Driver:
    """Import one driver, and only that one.

    Raises:
        UnknownDriver: there is none of this name; close matches are named.
        PreCheckFailed: it is installed and cannot be imported.
    """
    for point in _entry_points():
        if point.name == name:
            try:
                return typing.cast(Driver, point.load()())
            except Exception as error:  # whatever a plugin of somebody else raises
                raise PreCheckFailed(
                    f"the driver {name} cannot be loaded",
                    cause=f"{point.value}: {type(error).__name__}: {error}",
                    hint="install what it needs, or choose another driver: pymachine create --help",
                ) from error
    known = driver_names()
    close = difflib.get_close_matches(name, known, n=3)
    meant = f"did you mean {' or '.join(close)}? " if close else ""
    raise UnknownDriver(f'no driver "{name}"', hint=f"{meant}installed: {', '.join(known) or 'none'}")


def _entry_points() -> typing.Iterable[Any]:
    return _entry_points_on(tuple(sys.path))


@functools.lru_cache(maxsize=1)  # of a fleet each machine loads its driver, twice: 4 ms of looking through directories
def _entry_points_on(path: tuple[str, ...]) -> typing.Sequence[Any]:
    from importlib.metadata import entry_points  # 50 ms of start-up that only commands with drivers pay

    return tuple(entry_points(group=ENTRY_POINT_GROUP))
