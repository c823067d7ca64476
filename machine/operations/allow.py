"""``allow``: who reaches a machine, said anew: a laptop that has moved is another address."""

from __future__ import annotations

import typing
from collections.abc import Sequence

from machine.driver import Driver, FirewallDriver
from machine.errors import DriverError
from machine.model import Machine
from machine.operations.lifecycle import instance_of
from machine.operations.operation import Operation, Settings
from machine.store.store import Store


def allow(
    store: Store, machine: Machine, driver: Driver, settings: Settings, *, networks: Sequence[str] = ()
) -> list[str]:
    """Let networks reach a machine's SSH and endpoint, beside those that do.

    Args:
        networks: none: the address that this computer has now.

    Returns:
        The networks that are let in by this.

    Raises:
        DriverError: the driver has no say in that, or what lets in is the operator's own.
        NotRunning: it has no instance yet.
    """
    if not driver.capabilities.firewall:
        raise DriverError(
            f"the driver {driver.name} has no say in who reaches a machine",
            machine=machine.name,
            hint=f"do it where {machine.address or 'the host'} is managed",
        )
    instance = instance_of(machine)
    with Operation(store, store.journal.begin(machine, "allow"), machine.name, "allow", settings) as op:
        with op.step("firewall") as step:
            op.fence()
            allowed = typing.cast(FirewallDriver, driver).allow(instance, networks, step)
            step.summary = f"open to {', '.join(allowed)}"
        op.finish(None)
    return allowed
