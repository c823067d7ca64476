"""``resize``: a stopped machine comes back as another size of itself."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Mapping
from typing import Any

from machine.driver import Driver, ResizingDriver, resolve, stored_options
from machine.errors import DriverError, UsageError
from machine.model import Machine
from machine.operations.lifecycle import finished
from machine.operations.operation import Operation, Settings
from machine.store.store import Store


def resize(
    store: Store, machine: Machine, driver: Driver, settings: Settings, *, changes: Mapping[str, Any]
) -> Machine:
    """Change what a stopped machine runs on; `start` brings it back.

    Args:
        changes: options of the driver, of those in ``capabilities.resize``.

    Raises:
        UsageError: none, or one that cannot be changed.
        PreCheckFailed: it cannot be so.
        DriverError: it is not stopped, or the driver cannot resize.
    """
    able = driver.capabilities.resize
    if not able:
        raise DriverError(f"the driver {driver.name} cannot resize a machine", machine=machine.name)
    flags = ", ".join(f"--{driver.name}-{name.replace('_', '-')}" for name in able)
    if not changes or set(changes) - set(able):
        raise UsageError(f"say what shall change: {flags}", machine=machine.name)
    instance = finished(store, machine)
    options = resolve(driver, {**machine.spec.options, **changes}, {}).options
    sources = {**machine.spec.sources, **{name: f"--{driver.name}-{name.replace('_', '-')}" for name in changes}}
    spec = dataclasses.replace(machine.spec, options=stored_options(driver, options), sources=sources)
    with Operation(store, store.journal.begin(machine, "resize"), machine.name, "resize", settings) as op:
        with op.step("instance") as step:
            op.fence()
            typing.cast(ResizingDriver, driver).resize(instance, options, tuple(changes), step)
            store.journal.record_spec(op.entry, spec)
            step.summary = ", ".join(f"{name} {value}" for name, value in changes.items())
        op.finish(None)
    return store.machines.get(machine.name)
