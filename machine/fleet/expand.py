"""From a fleet file, checked against its schema, to machines: defaults under the group, the group under each machine.

What machines have in common is worked out once, and shared: ten thousand of a group cost ten thousand names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from functools import partial
from typing import Any, TypeVar

from machine.driver import Driver
from machine.errors import UsageError
from machine.fleet.depends import check_dependencies
from machine.fleet.engine import engine_settings
from machine.fleet.hostwork import FileReader, commands
from machine.fleet.merge import merged, settled
from machine.fleet.model import Group, Limits, Position, WantedMachine
from machine.fleet.names import DEFAULT_PATTERN, RULE, Names, Pattern
from machine.fleet.options import Declared, driver_options
from machine.fleet.problems import Problems, meant, shown
from machine.fleet.schema import MOST, option_key
from machine.fleet.tree import List, Map
from machine.model import MAX_NAME_LENGTH, valid_name
from machine.operations.wanted import HOST_KEY_POLICIES
from machine.trust.names import check_san

_OF_MACHINES = ("options", "engine", "labels", "tls-san", "host-key-policy", "files", "commands")
_OF_GROUPS = ("driver", "name", "limits")
_T = TypeVar("_T")


class Expansion:
    """Makes groups of machines of a document.

    Args:
        drivers: those that the document names, as far as they are installed.
    """

    def __init__(self, document: Map, drivers: Mapping[str, Driver], problems: Problems) -> None:
        self._document, self._problems = document, problems
        self._drivers = {name: Declared(driver) for name, driver in drivers.items()}
        self._files = FileReader(problems)
        self._names = Names(problems)
        self._hosts: dict[tuple[str, str], str] = {}
        self._known: dict[tuple[Any, ...], tuple[Any, Any]] = {}  # the part itself is kept too: ids are used again

    def groups(self) -> tuple[Group, ...]:
        """All groups, in the order of the file."""
        section = self._document.section("groups")
        defaults = self._document.section("defaults")
        if "options" in defaults and "driver" not in defaults:
            self._problems.add(defaults.keys_at["options"], "options in defaults need a driver: beside them")
        found, waits = [], {}
        for name in section:
            found.append(self._group(name, section, defaults))
            said = settled(section.section(name)).listed("depends")
            waits[name] = dict(zip(map(str, said), said.items_at, strict=True))
        check_dependencies(found, waits, self._problems)
        return tuple(found)

    def _group(self, name: str, section: Map, defaults: Map) -> Group:
        at, own = section.keys_at[name], section.section(name)
        if not valid_name(name):
            self._problems.add(at, f"a group cannot be called {shown(name)}: {RULE}")
        driver = self._driver(name, at, section[name], defaults)
        below = defaults
        if own.get("driver", defaults.get("driver")) != defaults.get("driver"):
            below = defaults.copy()  # its options are another driver's
            below.drop("options")
        whole = merged(below, own)
        shared = settled(_only(whole, _OF_MACHINES))
        pattern = self._pattern(name, at, whole)
        machines = []
        for called, place, override in self._members(name, at, own, pattern):
            if self._names.take(called, place):
                machines.append(self._machine(called, name, driver, place, settled(merged(shared, override))))
        return Group(
            name=name,
            machines=tuple(machines),
            depends=tuple(str(each) for each in settled(own).listed("depends")),
            limits=self._limits(whole.section("limits")),
            at=at,
        )

    def _driver(self, name: str, at: Position, whole: Any, defaults: Map) -> Declared | None:
        said = (whole if isinstance(whole, Map) else {}).get("driver", defaults.get("driver"))
        if said is None and isinstance(whole, Map | None):
            self._problems.add(at, f"the group {name} has no driver: write driver: into it, or into defaults")
        return self._drivers.get(said) if isinstance(said, str) else None

    def _pattern(self, name: str, at: Position, whole: Map) -> Pattern:
        text = whole.get("name")
        if not isinstance(text, str):
            return Pattern(DEFAULT_PATTERN, name, at, self._problems)
        return Pattern(text, name, whole.values_at["name"], self._problems)

    def _members(self, group: str, at: Position, own: Map, pattern: Pattern) -> list[tuple[str, Position, Map]]:
        """The machines of a group: their names, where they are said, and what differs."""
        if not pattern.known:
            return []
        said = own.section("machines")
        count = own.get("count")
        if isinstance(count, float) and count.is_integer():  # 3.0 is a whole number in JSON Schema's eyes
            count = int(count)
        if not isinstance(count, int) or isinstance(count, bool):
            count = None
        if count is not None and count > MOST:
            return []  # the schema tells of it
        place = own.values_at.get("count", at)
        if count is None and not said:
            count = 0 if isinstance(own.get("machines"), Map) else 1
        overrides: dict[str, tuple[Position, Map]] = {}
        for key in said:
            numbered = key.isascii() and key.isdigit() and len(key) <= MAX_NAME_LENGTH
            name = pattern.name(int(key)) if numbered else key
            if name in overrides:
                self._problems.add(said.keys_at[key], f"{name} is said twice; the other one is at {overrides[name][0]}")
            overrides[name] = said.keys_at[key], said.section(key)
        if count is None:
            return [(name, where, override) for name, (where, override) in overrides.items()]
        if count > 1 and not pattern.numbered:
            self._problems.add(
                own.values_at.get("name", place), f"all {count} machines would have one name: put {{number}} into name:"
            )
            return []
        members = []
        for number in range(1, count + 1):
            name = pattern.name(number)
            where, override = overrides.pop(name, (place, None))
            members.append((name, where, override if override is not None else Map(where)))
        for name, (where, _) in overrides.items():
            beyond = pattern.number(name)
            if beyond is not None and beyond > count:
                self._problems.warn(where, f"{name} is not among the machines of {group}: count is {count}")
            else:
                known = [each for each, _, _ in members]
                self._problems.add(where, f"machines: {group} has no machine {shown(name)}{meant(name, known)}")
        return members

    def _machine(self, name: str, group: str, declared: Declared | None, at: Position, whole: Map) -> WantedMachine:
        options: dict[str, Any] = {}
        if declared is not None:
            read = partial(driver_options, declared, problems=self._problems)
            options = self._once("options", whole, read, declared)
            said = settled(whole.section("options"))
            if not declared.driver.capabilities.creates and len(options) == len(said):  # else something is wrong there
                self._check_given(name, declared, options, at)
        policy = whole.get("host-key-policy")
        if declared is not None and not declared.driver.capabilities.host:
            self._refuse_work_without_host(whole, declared.driver.name)
        return WantedMachine(
            name=name,
            group=group,
            driver=declared.driver.name if declared is not None else "",
            options=options,
            engine=self._once("engine", whole, partial(engine_settings, problems=self._problems)),
            tls_san=self._once("tls-san", whole, self._sans),
            host_key_policy=policy if policy in HOST_KEY_POLICIES else None,
            labels=self._once("labels", whole, self._labels),
            files=self._once("files", whole, self._files.files),
            commands=self._once("commands", whole, partial(commands, problems=self._problems)),
            at=at,
        )

    def _refuse_work_without_host(self, whole: Map, driver: str) -> None:
        for key in ("files", "commands"):
            if whole.get(key):
                self._problems.add(whole.keys_at[key], f"the driver {driver} has no host for {key}: leave them out")

    def _once(self, key: str, whole: Map, make: Callable[[Any], _T], *also: Any) -> _T:
        """What a part says, worked out for the first machine that has it; a part is the same object for the others."""
        part = whole.get(key)
        known = (key, id(part), *map(id, also))
        if known not in self._known:
            if key in ("options", "engine", "labels"):
                given: Any = settled(whole.section(key))
            else:
                given = whole.listed(key)
            self._known[known] = part, make(given)
        result: _T = self._known[known][1]
        return result

    def _sans(self, said: List) -> tuple[str, ...]:
        names = []
        for each, at in zip(said, said.items_at, strict=True):
            try:
                names.append(check_san(str(each)))
            except UsageError as error:
                self._problems.add(at, error.message.replace("--tls-san", "tls-san"))
        return tuple(dict.fromkeys(names))

    def _labels(self, said: Map) -> dict[str, str]:
        labels = {}
        for key, value in said.items():
            if isinstance(value, Map | List):
                continue
            labels[key] = said.text(key)
            if not labels[key].isprintable():
                self._problems.add(said.values_at[key], f"the label {key} has control characters in it")
        return labels

    def _limits(self, said: Map) -> Limits:
        values: dict[str, Any] = {}
        for each in fields(Limits):
            value = said.get(each.name.replace("_", "-"))
            if isinstance(value, int | float):  # what it is else, the schema tells
                values[each.name] = float(value) if each.name == "per_second" else int(value)
        return Limits(**values)

    def _check_given(self, name: str, declared: Declared, options: Mapping[str, Any], at: Position) -> None:
        """A host that is given is said here, for each machine another one: a variable would say one for all."""
        driver = declared.driver.name
        missing = [option_key(item) for item in declared.required if item.name not in options]
        if missing:
            self._problems.add(at, f"{name} needs {', '.join(missing)}: the driver {driver} is given its hosts")
            return
        host = driver, repr(sorted(options.items()))
        if host in self._hosts:
            self._problems.add(at, f"{name} would be the same host as {self._hosts[host]}")
        self._hosts.setdefault(host, name)


def _only(whole: Map, keys: tuple[str, ...]) -> Map:
    part = Map(whole.at)
    for key in keys:
        for each in (key, f"{key}+"):
            if each in whole:
                part.take(whole, each)
    return part
