"""A fleet's file from machines that exist: groups by driver and by what their names begin with. Pure."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from machine.driver import Driver, declared_options
from machine.fleet.schema import engine_fields, option_key
from machine.model import EngineSpec, Machine
from machine.operations.wanted import HOST_KEY_POLICIES

_NUMBERED = re.compile(r"(?P<stem>.+?)[-.]?(?P<number>\d+)\Z")


def group_names(machines: Sequence[Machine]) -> dict[str, str]:
    """The group of each machine, by its name: what the names of several of one driver begin with."""
    stems: dict[tuple[str, str], list[str]] = {}
    for machine in machines:
        match = _NUMBERED.match(machine.name)
        stems.setdefault((match["stem"] if match else machine.name, machine.spec.driver), []).append(machine.name)
    drivers_of: dict[str, set[str]] = {}
    for stem, driver in stems:
        drivers_of.setdefault(stem, set()).add(driver)
    found = {}
    for (stem, driver), names in stems.items():
        group = stem if len(drivers_of[stem]) == 1 else f"{stem}-{driver}"
        found.update(dict.fromkeys(names, group))
    return found


def fleet_document(name: str, machines: Sequence[Machine], load: Callable[[str], Driver]) -> dict[str, Any]:
    """What a fleet's file says of these machines, as they are recorded.

    Args:
        load: finds a driver by its name.
    """
    groups: dict[str, list[Machine]] = {}
    by_name = group_names(machines)
    for machine in machines:
        groups.setdefault(by_name[machine.name], []).append(machine)
    return {"fleet": name, "groups": {group: _group(group, members, load) for group, members in groups.items()}}


def as_yaml(document: Mapping[str, Any]) -> str:
    """A document as people edit it."""
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.default_flow_style = False
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.width = 120
    out = io.StringIO()
    yaml.dump(dict(document), out)
    return out.getvalue()


def _group(name: str, members: Sequence[Machine], load: Callable[[str], Driver]) -> dict[str, Any]:
    """A group: what its machines share, and what each has of its own."""
    driver = load(members[0].spec.driver)
    said = {machine.name: _machine(machine, driver) for machine in members}
    shared: dict[str, Any] = {}
    first = next(iter(said.values()))
    for section, value in first.items():
        if isinstance(value, dict):
            common = {
                key: each
                for key, each in value.items()
                if all(one.get(section, {}).get(key) == each for one in said.values())
            }
            if common:
                shared[section] = common
        elif all(one.get(section) == value for one in said.values()):
            shared[section] = value
    group: dict[str, Any] = {"driver": driver.name, **shared}
    own = {machine: _without(sections, shared) for machine, sections in said.items()}
    if list(own) == [f"{name}-{number}" for number in range(1, len(own) + 1)]:
        group["count"] = len(own)
        own = {machine: rest for machine, rest in own.items() if rest}
    if own:
        group["machines"] = own
    return group


def _machine(machine: Machine, driver: Driver) -> dict[str, Any]:
    """All that a file could say of a machine; what is as by default is left out."""
    spec = machine.spec
    defaults = {item.name: item for item in declared_options(driver)}
    options = {
        option_key(item): spec.options[name]
        for name, item in defaults.items()
        if name in spec.options and spec.options[name] != _plain(item.default)
    }
    plain = EngineSpec()
    engine = {
        key: _plain(getattr(spec.engine, name))
        for key, (name, _) in engine_fields().items()
        if getattr(spec.engine, name) != getattr(plain, name)
    }
    sections: dict[str, Any] = {
        "options": options,
        "engine": engine,
        "labels": dict(spec.labels),
        "tls-san": list(spec.tls_san),
    }
    if spec.host_key_policy != HOST_KEY_POLICIES[0]:
        sections["host-key-policy"] = spec.host_key_policy
    return {section: value for section, value in sections.items() if value}


def _without(sections: Mapping[str, Any], shared: Mapping[str, Any]) -> dict[str, Any]:
    rest: dict[str, Any] = {}
    for section, value in sections.items():
        if isinstance(value, dict):
            value = {key: each for key, each in value.items() if shared.get(section, {}).get(key) != each}
        elif section in shared:
            continue
        if value:
            rest[section] = value
    return rest


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value
