"""A fleet file with what it includes laid under it."""

from __future__ import annotations

import os

from machine.fleet.merge import ADD, merged
from machine.fleet.model import Position
from machine.fleet.parse import parse
from machine.fleet.problems import Problems
from machine.fleet.tree import List, Map

INCLUDE = "include"
_DEEPEST = 50  # files
LARGEST = 32 << 20  # bytes of a file; a hundred thousand machines, listed one by one, need half of that


def read(path: str, problems: Problems) -> Map:
    """The file and its includes as one mapping; positions say in which file each part is.

    Args:
        path: as people say it; positions have it so.
    """
    return _read(path, problems, [], Position(path, 1, 1), {})


def _read(path: str, problems: Problems, chain: list[str], said: Position, known: dict[str, Map]) -> Map:
    """One file and what it includes.

    Args:
        chain: the files that are being read, the outermost first.
        said: where it was asked for.
        known: what has been read, by path: each file is, once.
    """
    if path in known:
        return known[path]
    if len(chain) > _DEEPEST:
        problems.add(said, f"files include each other more than {_DEEPEST} deep")
        problems.unread = True
        return Map(said)
    content, reason = _content(path, only_files=bool(chain))
    if reason:
        problems.add(said, f"{path} {reason}")
        problems.unread = True
        return Map(said)
    chain = [*chain, path]
    upper = parse(content, path, problems)
    _refuse_both(upper, problems)
    lower = Map(upper.at)
    for name, at in _included(upper, problems):
        other = os.path.normpath(os.path.join(os.path.dirname(path), name))
        again = next((index for index, each in enumerate(chain) if _same(each, other)), None)
        if again is not None:
            problems.add(at, f"files include each other in a circle: {' → '.join([*chain[again:], other])}")
            continue
        lower = merged(lower, _read(other, problems, chain, at, known))
    upper.drop(INCLUDE)
    known[path] = merged(lower, upper)
    return known[path]


def _content(path: str, *, only_files: bool) -> tuple[bytes, str]:
    """What is in a file, or why it is not read. A fleet's own may be a pipe: ``<(command)``."""
    try:
        if only_files and not os.path.isfile(path) and os.path.exists(path) and not os.path.isdir(path):
            return b"", "is no file"
        with open(path, "rb") as file:
            content = file.read(LARGEST + 1)
    except OSError as error:
        return b"", f"cannot be read: {error.strerror}"
    return content, f"is larger than {LARGEST >> 20} MB, too large for a fleet" if len(content) > LARGEST else ""


def _included(tree: Map, problems: Problems) -> list[tuple[str, Position]]:
    value = tree.get(INCLUDE)
    if value is not None and not isinstance(value, str | List):
        problems.add(tree.values_at[INCLUDE], "include is a list of files: include: [common.yaml]")
        return []
    names = tree.listed(INCLUDE)
    found = []
    for name, at in zip(names, names.items_at, strict=True):
        if not isinstance(name, str) or not name or "\0" in name:
            problems.add(at, "the name of a file belongs here, as in include: [common.yaml]")
        elif "${" in name:
            problems.add(at, "variables are not known yet where files are included; write the name itself")
        else:
            found.append((name, at))
    return found


def _same(one: str, other: str) -> bool:
    return os.path.realpath(one) == os.path.realpath(other)


def _refuse_both(part: Map, problems: Problems) -> None:
    """``files`` and ``files+`` in one place: nobody could say which is meant."""
    for key, value in part.items():
        if key.endswith(ADD) and key.removesuffix(ADD) in part:
            plain = key.removesuffix(ADD)
            problems.add(part.keys_at[key], f"{plain} is said here too, in line {part.keys_at[plain].line}: keep one")
        if isinstance(value, Map):
            _refuse_both(value, problems)
