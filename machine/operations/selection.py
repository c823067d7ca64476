"""Which machines are meant: by names and patterns, or by the fleet, the group and the labels they have."""

from __future__ import annotations

import difflib
import fnmatch
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from machine.errors import MachineNotFound, UsageError
from machine.model import Machine
from machine.store.store import Store

_WILD = "*?["  # no name has one of these


@dataclass(frozen=True, slots=True)
class Selector:
    """All that is said must hold; names and patterns are alternatives to each other."""

    names: tuple[str, ...] = ()  # web-1, web-*
    fleet: str | None = None
    group: str | None = None
    labels: Mapping[str, str | None] = field(default_factory=dict)  # None: whatever its value is

    @property
    def says_something(self) -> bool:
        """Whether anything at all was said."""
        return bool(self.names or self.fleet or self.group or self.labels)

    @property
    def by_name(self) -> bool:
        """Whether it is names and nothing else: the machines were told one by one."""
        said = self.fleet or self.group or self.labels
        return bool(self.names) and not said and not any(_is_pattern(name) for name in self.names)

    def __str__(self) -> str:
        parts = [*self.names]
        parts += [f"--{key} {value}" for key, value in (("fleet", self.fleet), ("group", self.group)) if value]
        parts += [f"--label {key}" + (f"={value}" if value is not None else "") for key, value in self.labels.items()]
        return " ".join(parts)


def parse_labels(texts: Sequence[str]) -> dict[str, str | None]:
    """Labels to choose by: ``role=web``; ``role`` alone is any value.

    Raises:
        UsageError: one without a name.
    """
    labels: dict[str, str | None] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not name:
            raise UsageError(f"{text!r} is not a label", hint="name=value, or the name alone for any value")
        labels[name] = value if equals else None
    return labels


def select(store: Store, selector: Selector) -> list[Machine]:
    """The machines that are meant, each once, in the order of the names, then of the store.

    Raises:
        MachineNotFound: a name is unknown, or nothing is meant by what was said.
    """
    if selector.by_name:
        found = [store.machines.get(name) for name in selector.names]
        return list({machine.id: machine for machine in found}.values())
    everyone = store.machines.all()
    machines = [machine for machine in everyone if _matches(machine, selector)]
    for name in selector.names:
        if not _is_pattern(name):
            store.machines.get(name)  # raises, and names what is near
    if not machines:
        hint = _near(everyone, selector) or "see them all: pymachine ls -o wide"
        raise MachineNotFound(f"no machine is meant by {selector}", hint=hint)
    return machines


def _near(machines: Sequence[Machine], selector: Selector) -> str | None:
    """What was meant, where no machine has such a fleet, group or label, and some have one with nearly that name."""
    specs = [machine.spec for machine in machines]
    known = {
        "fleet": {spec.fleet for spec in specs if spec.fleet},
        "group": {spec.group for spec in specs if spec.group},
        "label": {label for spec in specs for label in spec.labels},
    }
    said = [("fleet", selector.fleet), ("group", selector.group), *(("label", label) for label in selector.labels)]
    for what, name in said:
        if name and name not in known[what]:
            close = difflib.get_close_matches(name, known[what], n=2)
            if close:
                return f"did you mean --{what} {' or '.join(close)}?"
    return None


def _matches(machine: Machine, selector: Selector) -> bool:
    spec = machine.spec
    name = machine.name.casefold()
    if selector.names and not any(fnmatch.fnmatchcase(name, pattern.casefold()) for pattern in selector.names):
        return False
    if selector.fleet is not None and spec.fleet != selector.fleet:
        return False
    if selector.group is not None and spec.group != selector.group:
        return False
    return all(
        key in spec.labels and (value is None or spec.labels[key] == value) for key, value in selector.labels.items()
    )


def _is_pattern(name: str) -> bool:
    return any(character in name for character in _WILD)
