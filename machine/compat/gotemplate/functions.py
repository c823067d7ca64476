"""The functions of templates: Go's own (text/template/funcs.go), docker-machine's, and a few of docker's."""

from __future__ import annotations

import json as _json
import urllib.parse
from collections.abc import Callable, Mapping
from typing import Any

from machine.compat.gotemplate.printing import sprint, sprintf, sprintln
from machine.compat.gotemplate.values import Missing, Named, Struct, truth, type_name

_HTML = str.maketrans(
    {"\0": "\N{REPLACEMENT CHARACTER}", '"': "&#34;", "'": "&#39;", "&": "&amp;", "<": "&lt;", ">": "&gt;"}
)
_JSON = (("<", "\\u003c"), (">", "\\u003e"), ("&", "\\u0026"), ("\u2028", "\\u2028"), ("\u2029", "\\u2029"))


class CallError(Exception):
    """A function cannot do what it was asked; ``about_count``: it was given too few or too many arguments."""

    def __init__(self, message: str, *, about_count: bool = False) -> None:
        super().__init__(message)
        self.about_count = about_count


class _Wrong(Exception):
    """What a function says of its arguments."""


def call(name: str, arguments: list[Any]) -> Any:
    """What a function makes of arguments.

    Raises:
        CallError: in Go's words.
    """
    least, most, function = FUNCTIONS[name]
    arguments = [None if isinstance(each, Missing) else each for each in arguments]
    if len(arguments) < least or (most is not None and len(arguments) > most):
        want = str(least) if most == least else f"at least {least}" if most is None else f"{least} to {most}"
        raise CallError(f"wrong number of args for {name}: want {want} got {len(arguments)}", about_count=True)
    try:
        return function(*arguments)
    except _Wrong as error:
        raise CallError(f"error calling {name}: {error}") from None
    except RecursionError:
        raise CallError(f"error calling {name}: nested too deep") from None


def to_json(value: Any, *, indent: int | None = None, in_order: bool = False) -> str:
    """JSON as Go writes it: ``& < >`` escaped, the keys of a mapping sorted.

    Args:
        indent: spaces for each level; left out: on one line.
        in_order: keys as they come, as Go writes the fields of a struct.
    """
    separators = (",", ":") if indent is None else (",", ": ")
    text = _json.dumps(_plain(value), ensure_ascii=False, sort_keys=not in_order, separators=separators, indent=indent)
    for char, escaped in _JSON:
        text = text.replace(char, escaped)
    return text


def _plain(value: Any) -> Any:
    if isinstance(value, Struct):
        value = value.fields
    if isinstance(value, Named):
        return value.number
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    return value


def _and(*values: Any) -> Any:
    return next((each for each in values if not truth(each)), values[-1])


def _or(*values: Any) -> Any:
    return next((each for each in values if truth(each)), values[-1])


def _index(value: Any, *indexes: Any) -> Any:
    for index in indexes:
        if isinstance(index, Named):
            index = index.number
        if value is None:
            raise _Wrong("index of untyped nil")
        if isinstance(value, Mapping):
            if not isinstance(index, str):
                raise _Wrong(f"value has type {type_name(index)}; should be string")
            value = value.get(index)
        elif isinstance(value, (list, tuple, str)):
            if not isinstance(index, int) or isinstance(index, bool):
                raise _Wrong(f"cannot index slice/array with type {type_name(index)}")
            elements = value.encode() if isinstance(value, str) else value
            if not 0 <= index < len(elements):
                raise _Wrong(f"index out of range: {index}")
            value = elements[index]
        else:
            raise _Wrong(f"can't index item of type {type_name(value)}")
    return value


def _len(value: Any) -> int:
    if isinstance(value, str):
        return len(value.encode())
    if isinstance(value, (list, tuple, Mapping)):
        return len(value)
    if value is None:
        raise _Wrong("len of untyped nil")
    raise _Wrong(f"len of type {type_name(value)}")


def _comparable(first: Any, second: Any) -> tuple[Any, Any]:
    """Two values of one kind; a state or a span compares with its number and with its text."""
    if isinstance(first, Named):
        first = first.text if isinstance(second, str) else first.number
    if isinstance(second, Named):
        second = second.text if isinstance(first, str) else second.number
    for value in (first, second):
        if isinstance(value, (list, tuple, Mapping, Struct)):
            raise _Wrong("invalid type for comparison")
    if first is None or second is None:
        return first, second
    if _kind(first) is not _kind(second):
        raise _Wrong("incompatible types for comparison")
    return first, second


def _kind(value: Any) -> type:
    return (
        bool
        if isinstance(value, bool)
        else float
        if isinstance(value, int)
        else str
        if isinstance(value, str)
        else type(value)
    )


def _equal(first: Any, second: Any) -> bool:
    left, right = _comparable(first, second)
    return bool(left == right)


def _less(first: Any, second: Any) -> bool:
    left, right = _comparable(first, second)
    if left is None or right is None or isinstance(left, bool):
        raise _Wrong("invalid type for comparison")
    return bool(left < right)


def _eq(first: Any, *others: Any) -> bool:
    results = [_equal(first, each) for each in others]  # each is looked at: a wrong type is an error anywhere
    return any(results)


def _ge(first: Any, second: Any) -> bool:
    return not _less(first, second)


def _gt(first: Any, second: Any) -> bool:
    return not _less(first, second) and not _equal(first, second)


def _le(first: Any, second: Any) -> bool:
    return _less(first, second) or _equal(first, second)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise _Wrong(f"wrong type for value; expected string; got {type_name(value)}")
    return str(value)


def _join(values: Any, separator: Any) -> str:
    if not isinstance(values, (list, tuple)):
        raise _Wrong(f"wrong type for value; expected []string; got {type_name(values)}")
    return _text(separator).join([sprint(each) for each in values])


def _split(text: Any, separator: Any) -> list[str]:
    return _text(text).split(_text(separator)) if separator else list(_text(text))


def _title(text: Any) -> str:
    words = _text(text)
    return "".join(
        char.upper() if place == 0 or words[place - 1].isspace() else char for place, char in enumerate(words)
    )


def _html(*values: Any) -> str:
    return sprint(*values).translate(_HTML)


# name: least and most arguments (None: any number), what it does
FUNCTIONS: Mapping[str, tuple[int, int | None, Callable[..., Any]]] = {
    "and": (1, None, _and),
    "eq": (2, None, _eq),
    "ge": (2, 2, _ge),
    "gt": (2, 2, _gt),
    "html": (0, None, _html),
    "index": (1, None, _index),
    "join": (2, 2, _join),
    "json": (1, 1, to_json),
    "le": (2, 2, _le),
    "len": (1, 1, _len),
    "lower": (1, 1, lambda text: _text(text).lower()),
    "lt": (2, 2, _less),
    "ne": (2, 2, lambda first, second: not _equal(first, second)),
    "not": (1, 1, lambda value: not truth(value)),
    "or": (1, None, _or),
    "prettyjson": (1, 1, lambda value: to_json(value, indent=4)),
    "print": (0, None, sprint),
    "printf": (1, None, lambda form, *values: sprintf(_text(form), values)),
    "println": (0, None, sprintln),
    "split": (2, 2, _split),
    "title": (1, 1, _title),
    "upper": (1, 1, lambda text: _text(text).upper()),
    "urlquery": (0, None, lambda *values: urllib.parse.quote_plus(sprint(*values))),
}
