"""Who can make hosts, and whether it would work: ``drivers`` and ``drivers check``. No store is made for that."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from machine.api.making import Chosen, choose_driver
from machine.api.opened import Opened
from machine.driver import Driver, HostIdentity, driver_names, load_driver
from machine.errors import PymachineError
from machine.store.config import read_config
from machine.store.location import DATABASE

if TYPE_CHECKING:
    from machine.operations.explanation import Explanation

_NOTHING: Mapping[str, Any] = MappingProxyType({})
_NAME = "example"  # of the machine that is thought of
_NO_STORE = "none-yet"


class Drivers(Opened):
    """See `machine.Client`."""

    @staticmethod
    def drivers() -> tuple[list[Driver], list[PymachineError]]:
        """The drivers that are installed, and an error for each that cannot be imported. No client need be open."""
        found, errors = [], []
        for name in driver_names():
            try:
                found.append(load_driver(name))
            except PymachineError as error:  # the others are still listed
                errors.append(error)
        return found, errors

    def drivers_check(self, driver: str | None = None, options: Mapping[str, Any] = _NOTHING) -> Explanation:
        """What a machine of a driver would be, as whom it would be made, and what is missing for that. Nothing is made.

        Args:
            driver: None: the one that `create` would choose.

        Raises:
            UsageError, UnknownDriver: as `create`.
            PymachineError: nothing at all can be said, for example for want of credentials.
        """
        return check(self.directory, choose(self.directory, driver).driver, options)


def choose(directory: str, name: str | None) -> Chosen:
    """The driver that a name means, by the configuration in a store's directory; see `machine.Client.choose`."""
    return choose_driver(name, read_config(directory))


def check(directory: str, driver: Driver, options: Mapping[str, Any]) -> Explanation:
    """The same for a store's directory, which need not be there, and is not made."""
    from machine.operations.explanation import explain, left_out, works_here
    from machine.operations.wanted import wanted

    config = read_config(directory)
    if needed := left_out(driver, options, config):
        found = works_here(driver)
        return dataclasses.replace(found, facts=[*found.facts, ("needs", ", ".join(needed))])
    this = wanted(_NAME, driver, options, config)
    return explain(driver, this.spec, this.options, _identity(directory))


def _identity(directory: str) -> HostIdentity:
    """What a new host would be given; of the store only its id matters, and a look makes none. Nothing is noted."""
    from machine.store.store import Store
    from machine.trust.sshkeys import new_private_key, public_line

    known = _NO_STORE
    if os.path.lexists(os.path.join(directory, DATABASE)):
        store = Store(directory)
        known = store.id
        store.close()
    return HostIdentity(store=known, authorized_key=public_line(new_private_key()))
