"""What is wanted of each machine of a fleet, as ``create`` would want it."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from machine.driver import Capabilities, Driver, load_driver
from machine.errors import PymachineError, UsageError
from machine.fleet.model import Fleet, WantedMachine
from machine.operations.wanted import Wanted, wanted
from machine.store.config import Config


@dataclass(frozen=True, slots=True, kw_only=True)
class Specs:
    """What is wanted of the machines of a fleet, and what their drivers can do."""

    wanted: Mapping[str, Wanted]  # by the machine's name
    capabilities: Mapping[str, Capabilities]  # by the driver's name


def specs_of(
    fleet: Fleet,
    config: Config,
    environ: Mapping[str, str] = os.environ,
    load: Callable[[str], Driver] = load_driver,
) -> Specs:
    """Resolve all options of all machines: the file, else the environment, else ``config.toml``, else defaults.

    Raises:
        UsageError: a value that cannot be meant; it says where.
        UnknownDriver, PreCheckFailed: a driver that is not installed, or cannot be imported.
    """
    environ = dict(environ)  # each look into the process's own is work
    drivers: dict[str, Driver] = {}
    alike: dict[str, Wanted] = {}  # machines of a group differ in their names, mostly
    found: dict[str, Wanted] = {}
    for machine in fleet.machines():
        try:
            if machine.driver not in drivers:
                drivers[machine.driver] = load(machine.driver)
            key = _key(machine)
            _refuse_without_host(machine, drivers[machine.driver])
            if key not in alike:
                alike[key] = _resolved(machine, drivers[machine.driver], config, environ)
        except PymachineError as error:
            if machine.at is not None and str(machine.at) not in error.message:
                error.message = f"{machine.at}: {error.message}"
                error.args = (error.message,)
            raise
        one = alike[key]
        spec = dataclasses.replace(
            one.spec, name=machine.name, labels=dict(machine.labels), fleet=fleet.name, group=machine.group
        )
        found[machine.name] = dataclasses.replace(one, spec=spec)
    return Specs(wanted=found, capabilities={name: each.capabilities for name, each in drivers.items()})


def _refuse_without_host(machine: WantedMachine, driver: Driver) -> None:
    if (machine.files or machine.commands) and not driver.capabilities.host:
        raise UsageError(
            f"{machine.name} has files or commands, and the driver {driver.name} has no host for them",
            hint="leave them out of its group",
        )


def _key(machine: WantedMachine) -> str:
    options, engine = sorted(machine.options.items()), sorted(machine.engine.items())
    return repr((machine.driver, options, engine, machine.tls_san, machine.host_key_policy))


def _resolved(machine: WantedMachine, driver: Driver, config: Config, environ: Mapping[str, str]) -> Wanted:
    return wanted(
        machine.name,
        driver,
        machine.options,
        config,
        tls_san=machine.tls_san,
        host_key_policy=machine.host_key_policy,
        engine=machine.engine,
        environ=environ,
    )
