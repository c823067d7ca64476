"""What the machines of a group are called."""

from __future__ import annotations

import re

from machine.fleet.model import Position
from machine.fleet.problems import Problems, meant, shown
from machine.model import MAX_NAME_LENGTH, valid_name

RULE = f"letters, digits, . and -, beginning with a letter or digit, at most {MAX_NAME_LENGTH}"
DEFAULT_PATTERN = "{group}-{number}"
_PLACE = re.compile(r"\{(\w*)(?::0?(\d{1,2}))?\}")
_PLACES = ("group", "number")


class Pattern:
    """How a group's machines are called: ``{group}-{number:02}``.

    Args:
        at: where it was said.
    """

    def __init__(self, text: str, group: str, at: Position, problems: Problems) -> None:
        self.known = True  # all that stands in braces
        for match in _PLACE.finditer(text):
            if match[1] not in _PLACES:
                self.known = False
                problems.add(at, f"name: there is no {match[0]}{meant(match[1], _PLACES)}")
        if self.known and not {"{", "}"}.isdisjoint(_PLACE.sub("", text)):
            self.known = False
            problems.add(at, "name: in braces stand {group}, {number} or, for two digits at least, {number:02}")
        self._text = text.replace("{group}", group)
        self.numbered = any(match[1] == "number" for match in _PLACE.finditer(text))

    def name(self, number: int) -> str:
        """Of the machine with this number, from 1."""
        return _PLACE.sub(lambda match: str(number).zfill(int(match[2] or 0)), self._text)

    def number(self, name: str) -> int | None:
        """The number of the machine with this name; None: the pattern makes no such name."""
        match = re.fullmatch(_PLACE.sub(r"\\d+", re.escape(self._text).replace(r"\{", "{").replace(r"\}", "}")), name)
        if match is None or len(name) > MAX_NAME_LENGTH:
            return None
        found = [int(each) for each in re.findall(r"\d+", name)]
        return next((each for each in found if self.name(each) == name), None)


class Names:
    """The names of a whole fleet: valid, and each there once, ignoring case."""

    def __init__(self, problems: Problems) -> None:
        self._problems = problems
        self._taken: dict[str, tuple[str, Position]] = {}

    def take(self, name: str, at: Position) -> bool:
        """Whether a machine can have this name; if not, that is told of."""
        if not valid_name(name):
            self._problems.add(
                at,
                f"a machine cannot be called {shown(name)}: {RULE}",
            )
            return False
        other = self._taken.get(name.lower())
        if other is not None:
            same = "is there twice" if other[0] == name else f"differs from {other[0]} by nothing but case"
            self._problems.add(at, f"the name {name} {same}; the other one is at {other[1]}")
            return False
        self._taken[name.lower()] = (name, at)
        return True
