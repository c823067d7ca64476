"""``${name}`` in the texts of a fleet file: what it stands for, and where a secret one may be used.

A variable has its value from ``--var``, else from the environment, else from the file. A secret one has it from the
environment alone: what is in the file or on a command line is read by others.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from machine.errors import UsageError
from machine.fleet.model import Position
from machine.fleet.parse import scalar
from machine.fleet.problems import Problems, meant
from machine.fleet.tree import List, Map
from machine.operations.log import hide

SECTION = "variables"
_USE = re.compile(r"\$(\$\{|\{(?P<name>[A-Za-z_][A-Za-z0-9_-]*)\})")
_KEYS = ("env", "default", "secret", "description")
_MAY_BE = re.compile(r"pass|pwd|secret|token|credential|key|auth|private", re.IGNORECASE)
_SHORTEST = 4  # characters of a secret that can be taken out of every output


def may_name_secret(word: str) -> bool:
    """Whether what is called so may be a secret."""
    return _MAY_BE.search(word) is not None


def may_be_secret(name: str, said: Any) -> bool:
    """Whether a variable that is declared so may be meant to be one: with ``secrt: true``, or ``secret: yes``."""
    if not isinstance(said, Map):
        return may_name_secret(name)
    meant = said.get("secret", False) is not False or any(key not in _KEYS for key in said)
    return meant or may_name_secret(f"{name} {said.get('env')}")


def _is_text(value: str) -> bool:
    """Whether it can be written: what was no UTF-8 in the environment comes as halves of characters."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


class Secret(str):
    """A text in which secrets stand: ``hidden`` are those."""

    hidden: tuple[str, ...] = ()


class Variables:
    """The variables of a fleet file.

    Args:
        declared: the section of the file.
        given: those of ``--var``.

    Raises:
        UsageError: ``--var`` names none of the file, or a secret one.
    """

    def __init__(self, declared: Map, given: Mapping[str, str], environ: Mapping[str, str], problems: Problems) -> None:
        self._declared, self._given, self._environ, self._problems = declared, given, environ, problems
        self._known: dict[str, str | None] = {}
        self._done: dict[int, Any] = {}  # parts, by identity: one that has aliases is filled in once
        for name in given:
            if name not in declared:
                raise UsageError(f"--var {name}: the file has no such variable{meant(name, declared)}")
            if self.is_secret(name):
                raise UsageError(
                    f"--var {name}: a secret on a command line is seen by everybody who can list processes",
                    hint=f"set ${declared[name].get('env')} instead",
                )
        for name in declared:
            self._check(name)

    @property
    def secrets(self) -> bool:
        """Whether there are secret ones at all."""
        return any(map(self.is_secret, self._declared))

    def is_secret(self, name: str) -> bool:
        """Whether its value must not be shown or stored."""
        return isinstance(value := self._declared.get(name), Map) and value.get("secret") is True

    def fill_in(self, part: Any) -> None:
        """Put values for names in all texts of a part, in place. A text that is one variable gets its type, too."""
        if id(part) in self._done:
            return
        self._done[id(part)] = part
        for key, value in list(enumerate(part) if isinstance(part, List) else part.items()):
            if isinstance(value, Map | List):
                self.fill_in(value)
            elif isinstance(value, str) and "${" in value:
                at = part.items_at[key] if isinstance(part, List) else part.values_at[key]
                filled = self._filled(value, at)
                whole = (match := _USE.fullmatch(value)) and match["name"] and not isinstance(filled, Secret)
                part[key] = scalar(filled) if whole else filled
                if part[key] is not filled:
                    part.texts[key] = filled

    def _filled(self, text: str, at: Position) -> str:
        hidden: list[str] = []

        def value(match: re.Match[str]) -> str:
            if match["name"] is None:  # $${: a shell's own
                return "${"
            found = self._value(match["name"], at)
            if found is not None and self.is_secret(match["name"]):
                hidden.append(found)
            return match[0] if found is None else found

        filled = _USE.sub(value, text)
        if hidden:
            filled = Secret(filled)
            filled.hidden = tuple(hidden)
        return filled

    def _value(self, name: str, at: Position) -> str | None:
        if name not in self._declared:
            self._problems.add(
                at,
                f"there is no variable {name!r}: declare it under variables:, or write $${{{name}}} where ${{{name}}} "
                f"itself is meant{meant(name, self._declared)}",
            )
            return None
        if name not in self._known:
            self._known[name] = value = self._found(name, at)
            if value and not value.isascii() and not _is_text(value):
                self._problems.add(at, f"the value of the variable {name} is not UTF-8 text")
                self._known[name] = value = None
            if value and may_be_secret(name, self._declared[name]):
                self._problems.hide(value, self._declared.values_at[name])
        return self._known[name]

    def _found(self, name: str, at: Position) -> str | None:
        said = self._declared[name]
        if name in self._given:
            return self._given[name]
        if not isinstance(said, Map):
            return None if said is None else self._declared.text(name)
        variable = said.get("env")
        if isinstance(variable, str) and self._environ.get(variable):
            value = self._environ[variable]
            if said.get("secret") is True and len(value) >= _SHORTEST:
                hide(value)
            return value
        if said.get("default") is not None:
            return said.text("default")
        ways = [f"set ${variable}"] if variable else []
        if said.get("secret") is not True:
            ways += [f"give --var {name}=…", "write a default: into the file"]
        self._problems.add(at, f"the variable {name} has no value: {' or '.join(ways)}")
        return None

    def _check(self, name: str) -> None:
        said = self._declared[name]
        at = self._declared.values_at[name]
        if said is None:
            self._problems.add(at, f"the variable {name} has no value; for one that --var gives write {{}}")
        texts: list[tuple[Any, Position]] = [(said, at)]
        if isinstance(said, Map):
            texts = [(said.get("default"), said.values_at.get("default", at))]
            if said.get("secret") is True and "default" in said:
                self._problems.add(texts[0][1], "a secret has no default: it would stand in the file")
            if said.get("secret") is True and "env" not in said:
                self._problems.add(at, f"a secret comes from the environment: {name}: {{env: NAME, secret: true}}")
        for text, place in texts:
            if isinstance(text, str) and _USE.search(text):
                self._problems.add(place, "a variable's value is a plain text; other variables are not put into it")


def refuse_secrets(part: Any, allowed: Callable[[tuple[str, ...]], bool], problems: Problems) -> None:
    """Say where a secret was put that would be stored and shown from there; nothing of it stays in the part.

    Args:
        allowed: whether a secret may stand at this path.
    """
    _refuse(part, (), allowed, problems)


def _refuse(part: Any, path: tuple[str, ...], allowed: Callable[[tuple[str, ...]], bool], problems: Problems) -> None:
    for key, value in list(enumerate(part) if isinstance(part, List) else part.items()):
        here = (*path, str(key))
        if isinstance(value, Map | List):
            _refuse(value, here, allowed, problems)
        elif isinstance(value, Secret) and not allowed(here):
            part[key] = "[hidden]"
            problems.add(
                part.items_at[key] if isinstance(part, List) else part.values_at[key],
                "a secret variable cannot be used here: it would be recorded and shown. "
                "Secrets go into an engine's settings, or into one of files: that a command reads on the host",
            )
