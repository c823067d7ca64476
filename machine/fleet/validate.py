"""What a schema finds wrong with a fleet file, in words and with its place. jsonschema is imported nowhere else, and
here only for a file with which something is wrong.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from machine.fleet.fits import NotSure, fits
from machine.fleet.formernames import former_key, former_option
from machine.fleet.merge import ADD
from machine.fleet.model import Position
from machine.fleet.problems import Problems, meant, shown
from machine.fleet.schema import OPTIONS_OF, REASON, VARIABLE
from machine.fleet.suspicious import hide_all
from machine.fleet.tree import List, Map

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError

_KINDS = {
    "string": "a text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "a mapping",
}
_HAVE_OPTIONS = ("defaults", "a group", "a machine")


def validate(document: Map, schema: Mapping[str, Any], problems: Problems) -> None:
    """Hold a document against a schema; it is looked at as it was written, before machines are made of it."""
    try:
        if fits(document, schema):
            return
    except NotSure:
        pass
    from jsonschema import Draft202012Validator

    for error in Draft202012Validator(schema).iter_errors(document):
        _tell(document, error, problems)


def _tell(document: Map, error: ValidationError, problems: Problems) -> None:
    path = list(error.absolute_path)
    at = _place(document, path)
    name = _name(path)
    value, expected = error.instance, error.validator_value
    title = error.schema.get("title", name) if isinstance(error.schema, Mapping) else name
    if error.validator == "additionalProperties":
        known = error.schema.get("properties", {})
        for key in value:
            if key not in known and not key.startswith("x-"):
                # Nobody who mistypes `count` means the + of a list.
                names = [each for each in known if not each.endswith(ADD) or key.endswith(ADD)]
                hide_all(value[key], value.values_at[key], problems)
                instead = _instead(key, title)
                problems.add(value.keys_at[key], f"{title}: there is no key {key!r}{instead or meant(key, names)}")
    elif error.validator == "type" or expected == VARIABLE:
        kinds = error.schema["type"]
        kinds = [kinds] if isinstance(kinds, str) else kinds
        if error.schema.get("pattern") == VARIABLE:
            kinds = kinds[:1]  # a text would be a variable, and these are filled in by now
        problems.add(at, f"{name} is {_named(kinds)}, and this is {_shown(value)}{_why_text(value, kinds)}")
    elif error.validator == "enum":
        choices = [str(each) for each in expected if each is not None]
        problems.add(at, f"{name}: {_shown(value)} is not known{meant(str(value), choices)}")
    elif error.validator == "minimum":
        problems.add(at, f"{name} is {value}, and at least {expected} is needed")
    elif error.validator == "maximum":
        problems.add(at, f"{name} is {value}, and at most {expected} can be meant")
    elif error.validator == "required":
        missing = next((each for each in expected if each not in value), "")
        problems.add(at, f"{title} needs {missing}:")
    elif "propertyNames" in error.absolute_schema_path:
        names_at = _part(document, path).keys_at
        problems.add(names_at[value], f"{value!r} cannot be a name here: {error.schema.get(REASON, error.message)}")
    elif error.validator == "pattern":
        problems.add(at, f"{name}: {_shown(value)} is not right: {error.schema.get(REASON, error.message)}")
    else:
        problems.add(at, f"{name}: {error.message}")


def _instead(key: str, title: str) -> str:
    """The end of a message about a key that is docker-machine's: what to write."""
    if title.startswith(OPTIONS_OF):
        instead = former_option(key, title.removeprefix(OPTIONS_OF))
    elif title in _HAVE_OPTIONS:
        instead = former_key(key)
    else:
        return ""
    return f"; {instead}" if instead else ""


def _part(document: Map, path: Sequence[Any]) -> Any:
    part: Any = document
    for each in path:
        part = part[each]
    return part


def _place(document: Map, path: Sequence[Any]) -> Position:
    """Where the value at a path was said."""
    if not path:
        return document.at
    holder = _part(document, path[:-1])
    at: Position = holder.items_at[path[-1]] if isinstance(holder, List) else holder.values_at[path[-1]]
    return at


def _name(path: Sequence[Any]) -> str:
    """What people call the value at a path: its key, and which item of a list."""
    words = [each for each in path if isinstance(each, str)]
    if not words:
        return "a fleet file"
    if isinstance(path[-1], int):
        return f"{words[-1]}, item {path[-1] + 1},"
    return words[-1]


def _named(kinds: Sequence[str]) -> str:
    return " or ".join(_KINDS[each] for each in kinds if each != "null")


def _shown(value: Any) -> str:
    if value is None:
        return "empty"
    if isinstance(value, Map):
        return "a mapping"
    if isinstance(value, List):
        return "a list"
    if isinstance(value, bool):
        return str(value).lower()
    return shown(value) if isinstance(value, str) else str(value)


def _why_text(value: Any, kinds: Sequence[str]) -> str:
    """YAML made a number of what was meant as a text."""
    return "; put it into quotes" if isinstance(value, bool | int | float) and "string" in kinds else ""
