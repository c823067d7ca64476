"""What a template can be about: None, bool, int, float, str, lists, mappings with string keys, and these."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from machine.errors import UsageError


class TemplateError(UsageError):
    """A template cannot be understood, or asks for what is not there."""

    slug = "template"


@dataclass(frozen=True, slots=True)
class Struct:
    """A struct of Go's: its fields have an order, and an unknown one is an error."""

    type: str  # as Go prints it in errors
    fields: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Named:
    """A number of Go's with a text: a state, a span of time."""

    type: str
    number: int
    text: str
    fields: Mapping[str, Any] = field(default_factory=dict)  # its methods without arguments, by what they return


class Header(str):
    """The heading of a table's column; so is every field of it."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Missing:
    """What a mapping gives for a key it has not: printed as ``<no value>``, and so is every field of it."""

    path: str = ""
    nearest: str = ""


def type_name(value: object) -> str:
    """The type as Go prints it."""
    if isinstance(value, (Struct, Named)):
        return value.type
    for kind, name in _TYPES:
        if isinstance(value, kind):
            return name
    return "<nil>"


# bool before int, of which it is one
_TYPES: tuple[tuple[type, str], ...] = (
    (bool, "bool"),
    (int, "int"),
    (float, "float64"),
    (str, "string"),
    (list, "[]interface {}"),
    (tuple, "[]interface {}"),
    (Mapping, "map[string]interface {}"),
)


def truth(value: object) -> bool:
    """Whether it is not the empty value of its type."""
    if isinstance(value, Named):
        return value.number != 0
    if isinstance(value, Missing):
        return False
    return isinstance(value, Struct) or bool(value)


def nearest(name: str, names: Iterable[str]) -> str:
    """The name that was probably meant; empty where none is close."""
    by_lower = {each.lower(): each for each in names}
    close = difflib.get_close_matches(name.lower(), by_lower, n=1)
    return by_lower[close[0]] if close else ""
