"""``ls --filter KEY=VALUE``: any of the values of a key, all of the keys (commands/ls.go)."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from machine.compat.gotemplate.values import nearest
from machine.compat.names import DRIVERS
from machine.errors import UsageError
from machine.model import Machine

KEYS = ("driver", "label", "name", "state", "swarm")
# What Go's regular expressions have and Python's have not.
_CLASSES = {
    "alnum": "0-9A-Za-z", "alpha": "A-Za-z", "ascii": r"\x00-\x7F", "blank": r"\t ", "cntrl": r"\x00-\x1F\x7F",
    "digit": "0-9", "graph": "!-~", "lower": "a-z", "print": " -~", "punct": r"!-/:-@\[-`{-~", "space": r"\t\n\v\f\r ",
    "upper": "A-Z", "word": "0-9A-Za-z_", "xdigit": "0-9A-Fa-f",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """What is wanted of the machines that are listed."""

    drivers: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    names: tuple[re.Pattern[str], ...] = ()
    states: tuple[str, ...] = ()
    swarms: tuple[str, ...] = ()

    def matches(self, machine: Machine) -> bool:
        """Whether all but its state is as wanted; for that somebody may have to be asked."""
        return (
            (_any_of(self.drivers, machine.spec.driver) or self._is_called(machine.spec.driver))
            and (not self.names or any(name.search(machine.name) for name in self.names))
            and self._matches_label(machine)
            and _any_of(self.swarms, "")  # of the classic Swarm, in which no machine is
        )

    def matches_state(self, word: str) -> bool:
        """Whether a state is one of those wanted."""
        return _any_of(self.states, word)

    def _is_called(self, driver: str) -> bool:
        """Whether docker-machine has the driver under a name that is wanted."""
        return any(row.now == driver and _any_of(self.drivers, row.name) for row in DRIVERS)

    def _matches_label(self, machine: Machine) -> bool:
        if not self.labels:
            return True
        has = dict(label.partition("=")[::2] for label in machine.spec.engine.labels)
        for label in self.labels:
            key, equals, value = label.partition("=")
            if key in has and (not equals or has[key].casefold() == value.casefold()):
                return True
        return False


def parse_filters(texts: Iterable[str]) -> Filters:
    """The filters of a command line.

    Raises:
        UsageError: in docker-machine's words, with the nearest key.
    """
    found: dict[str, list[str]] = {key: [] for key in KEYS}
    for text in texts:
        key, equals, value = text.partition("=")
        key = key.lower()
        if not equals:
            raise UsageError(
                "Unsupported filter syntax", cause=f"{text!r} is not KEY=VALUE", hint="--filter driver=generic"
            )
        if key not in KEYS:
            close = nearest(key, KEYS)
            known = f"known: {', '.join(KEYS)}"
            raise UsageError(
                f"Unsupported filter key '{key}'", hint=f"did you mean {close}? {known}" if close else known
            )
        found[key].append(value)
    return Filters(
        drivers=tuple(found["driver"]),
        labels=tuple(found["label"]),
        names=tuple(map(_pattern, found["name"])),
        states=tuple(found["state"]),
        swarms=tuple(found["swarm"]),
    )


def unknown_values(values: Sequence[str], known: Iterable[str]) -> list[tuple[str, str]]:
    """Values that nothing can have, each with the one that was probably meant."""
    names = {each.casefold(): each for each in known}
    missed = [value for value in values if value.casefold() not in names]
    return [(value, close) for value in missed if (close := nearest(value, names.values()))]


def _any_of(wanted: Sequence[str], value: str) -> bool:
    return not wanted or value.casefold() in [each.casefold() for each in wanted]


def _pattern(text: str) -> re.Pattern[str]:
    """A regular expression of Go's, as far as those for names of machines go."""
    translated = re.sub(r"\[:(\^?)(\w+):\]", lambda found: _CLASSES.get(found[2], found[0]), text)
    translated = translated.replace(r"\z", r"\Z")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return re.compile(translated)
    except (re.error, OverflowError, RecursionError) as error:
        raise UsageError(
            f"error parsing regexp: {text!r}", cause=str(error), hint="a name filter is a regular expression: name=^web"
        ) from error
