"""Fleets, and machines as a store would have them, without either a file or a store."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from machine.driver import Driver
from machine.drivers.generic import GenericDriver
from machine.drivers.none import NoneDriver
from machine.fleet.changes import Change, Plan
from machine.fleet.model import CommandOnHost, FileOnHost, Fleet, Group, Limits, WantedMachine
from machine.fleet.plan import make_plan
from machine.fleet.specs import Specs, specs_of
from machine.fleet.workleft import command_key, file_state, files_state
from machine.model import Access, Endpoint, Instance, Machine, State
from machine.operations.observe import Seen
from machine.store.config import Config
from machine.testing.memory import MemoryDriver

DRIVERS: dict[str, type] = {"memory": MemoryDriver, "generic": GenericDriver, "none": NoneDriver}


def load(name: str) -> Driver:
    driver: Driver = DRIVERS[name]()
    return driver


def wanted(name: str = "web-1", group: str = "web", driver: str = "memory", **changes: Any) -> WantedMachine:
    return WantedMachine(name=name, group=group, driver=driver, **changes)


def fleet(*machines: WantedMachine, depends: Mapping[str, tuple[str, ...]] | None = None, **limits: Any) -> Fleet:
    """A fleet called shop, with its groups in the order in which their first machines are given."""
    groups = dict.fromkeys(machine.group for machine in machines)
    return Fleet(
        name="shop",
        file="/fleets/shop.yaml",
        groups=tuple(
            Group(
                name=name,
                machines=tuple(each for each in machines if each.group == name),
                depends=(depends or {}).get(name, ()),
                limits=Limits(**limits),
            )
            for name in groups
        ),
    )


def specs(of: Fleet, **environ: str) -> Specs:
    return specs_of(of, Config("/store/config.toml"), environ, load)


def made(of: Fleet, name: str = "web-1", *, number: int = 1, **changes: Any) -> Machine:
    """A machine as an apply of this fleet has left it, but for the changes."""
    spec = specs(of).wanted[name].spec
    this = next(each for each in of.machines() if each.name == name)
    applied = {
        "instance": f"i-{number}",
        "files": {each.target: file_state(each) for each in this.files},
        "commands": {command_key(each): files_state(this.files) for each in this.commands},
    }
    values: dict[str, Any] = {
        "id": number,
        "name": name,
        "spec": spec,
        "state": State.RUNNING,
        "state_at": 0.0,
        "instance": Instance(driver=spec.driver, id=f"i-{number}", access=Access(host="192.0.2.7")),
        "endpoint": Endpoint(url="tcp://192.0.2.7:2376"),
        "created_at": 0.0,
        "applied": applied,
    }
    return Machine(**{**values, **changes})


def seen(machine: Machine, state: State, **changes: Any) -> dict[int, Seen]:
    return {machine.id: Seen(machine=machine, state=state, **changes)}


def plan(of: Fleet, *machines: Machine, looked: Mapping[int, Seen] | None = None, **options: Any) -> Plan:
    return make_plan(of, machines, looked or {}, specs=specs(of), **options)


def only(made_plan: Plan) -> Change:
    """The change of a plan for one machine."""
    (change,) = made_plan.changes
    return change


def with_spec(machine: Machine, **changes: Any) -> Machine:
    return dataclasses.replace(machine, spec=dataclasses.replace(machine.spec, **changes))


FILE = FileOnHost(source="/fleets/motd", target="/etc/motd", digest="a" * 64)
COMMAND = CommandOnHost(run="systemctl restart app")
