"""Passwords in a fleet file: it is a file that is shared, and is told so where one seems to stand in it."""

from __future__ import annotations

import re

from machine.fleet.model import Position
from machine.fleet.problems import Problems
from machine.fleet.tree import List, Map
from machine.fleet.variables import SECTION

_WORD = r"(?:passw(?:or)?d|passphrase|secret|token|credential|api[-_.]?key|access[-_.]?key|private[-_.]?key)"
_KEY = re.compile(rf"{_WORD}s?$", re.IGNORECASE)
# What may stand between has an end: a text of a megabyte is looked through in no more than its length.
_TEXT = re.compile(
    rf"""{_WORD}[\w.-]{{0,40}}(?:=|:\s?)["']?(?![$/\s"'<])\S"""  # API_TOKEN=x, --password=x
    rf"|--[\w-]{{0,40}}{_WORD}[\w-]{{0,40}}\s{{1,40}}(?![$/~-])\S"  # --password x
    r"|://[^/\s:@]{1,256}:(?!\$)[^/\s@]{1,256}@"  # https://user:password@host
    r"|\bAKIA[0-9A-Z]{16}\b|-----BEGIN [A-Z ]*PRIVATE KEY",
    re.IGNORECASE,
)
_ADVICE = "a fleet file is shared. Use a variable of the environment: {env: NAME, secret: true}"


def warn_of_secrets(document: Map, problems: Problems) -> None:
    """Warn of what looks like a password, at its place and without its text. Variables are not filled in yet."""
    for name, value in document.section(SECTION).items():
        literal = value.get("default") if isinstance(value, Map) else value
        holder, key = (value, "default") if isinstance(value, Map) else (document.section(SECTION), name)
        if literal is not None and _KEY.search(name):
            problems.warn(holder.values_at[key], f"{name} looks like a secret, and {_ADVICE}")
    _look(document, problems)


def _look(part: Map | List, problems: Problems) -> None:
    if isinstance(part, List):
        for value, at in zip(part, part.items_at, strict=True):
            _look_at("", value, at, problems)
        return
    for key, value in part.items():
        _look_at(key, value, part.values_at[key], problems)


def _look_at(key: str, value: object, at: Position, problems: Problems) -> None:
    if isinstance(value, Map | List):
        if key != SECTION or not isinstance(value, Map):
            _look(value, problems)
    elif isinstance(value, str | int) and not isinstance(value, bool):
        text = str(value)
        named = _KEY.search(key) and text and "${" not in text and not text.startswith(("/", "~", "./"))
        if named or _TEXT.search(text):
            what = f"{key} looks like a secret" if named else "this looks as if a password stood in it"
            problems.warn(at, f"{what}, and {_ADVICE}")
