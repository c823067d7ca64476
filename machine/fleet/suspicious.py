"""Passwords in a fleet file: it is a file that is shared, and is told so where one seems to stand in it.

And what may be one is said in no error, for these are shared too. There it is better to hide too much: a key that is
mistyped may have been a secret's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from machine.fleet.model import Position
from machine.fleet.problems import Problems
from machine.fleet.tree import List, Map
from machine.fleet.variables import SECTION, may_be_secret, may_name_secret

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
_PAIR = re.compile(r"[\w.-]+=")
_KEY_AND_MORE = re.compile(r"([^=:]*)([=:]?)(.*)", re.DOTALL)
_YES_OR_NO = (True, False, "yes", "no", "on", "off", "true", "false", "True", "False")
_USER = re.compile(r"://([^/\s]+)@")
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


def hide_secrets(document: Map, schema: Mapping[str, Any], problems: Problems) -> None:
    """Have what may be a secret said in no error: by its key, by its look, and all of an engine's environment.

    Args:
        schema: it knows keys that are called like secrets and are none, and those that are.
    """
    known = dict(_keys(schema))
    for key, value in document.items():
        if key != SECTION:
            _hide(key, value, document.keys_at[key], document.values_at[key], False, known, problems)
    for name, value in document.section(SECTION).items():
        if isinstance(value, Map):
            for key in value.keys() & {"secret"} | (
                value.keys() & {"default"} if may_be_secret(name, value) else set()
            ):
                if value[key] not in _YES_OR_NO:
                    hide_all(value[key], value.values_at[key], problems)
        elif may_be_secret(name, value):
            hide_all(value, document.section(SECTION).values_at[name], problems)


def hide_all(value: Any, at: Position, problems: Problems) -> None:
    """Have nothing of a value said in an error: it stands under a key that nobody knows."""
    if isinstance(value, Map):
        for key in value:
            hide_all(value[key] if key not in value.texts else value.texts[key], value.values_at[key], problems)
    elif isinstance(value, List):
        for each, text, place in zip(value, value.texts, value.items_at, strict=True):
            hide_all(each if text is None else text, place, problems)
    elif isinstance(value, str | int | float) and not isinstance(value, bool):
        problems.hide(str(value), at)
        for each in _secrets_in(str(value), True):
            problems.hide(each, at)


def _keys(schema: Any) -> Iterator[tuple[str, bool]]:
    """All keys that a schema knows, and whether each is a secret's."""
    if isinstance(schema, list):
        for each in schema:
            yield from _keys(each)
    elif isinstance(schema, Mapping):
        for key, each in schema.get("properties", {}).items():
            if isinstance(each, Mapping) and "type" in each:
                yield key, bool(each.get("deprecated"))
        for each in schema.values():
            yield from _keys(each)


def _hide(
    key: str,
    value: Any,
    key_at: Position,
    at: Position,
    in_environment: bool,
    known: Mapping[str, bool],
    problems: Problems,
) -> None:
    word, mark, rest = _KEY_AND_MORE.fullmatch(key).groups()  # type: ignore[union-attr]  # it fits every text
    if mark and key not in known:  # `{token=x}`, `{token:x}`: a value became part of the key
        problems.hide(rest.strip(), key_at)
    if known.get(key, may_name_secret(word)):
        hide_all(value, at, problems)
    in_environment = in_environment or key in ("env", "env+")
    if isinstance(value, Map):
        for each, part in value.items():
            _hide(each, part, value.keys_at[each], value.values_at[each], in_environment, known, problems)
    elif isinstance(value, List):
        for part, place in zip(value, value.items_at, strict=True):
            _hide("", part, place, place, in_environment, known, problems)
    elif isinstance(value, str):
        for secret in _secrets_in(value, in_environment):
            problems.hide(secret, at)


def _secrets_in(text: str, in_environment: bool) -> Iterator[str]:
    """What may be secret of a text."""
    yield from _USER.findall(text)
    if in_environment or _TEXT.search(text):
        if _PAIR.match(text):
            while text := text.partition("=")[2]:
                yield text
        elif not _USER.search(text):
            yield text
