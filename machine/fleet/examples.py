"""Fleet files to begin with: the folders of ``templates/fleet``, each a ``fleet.yaml`` and the files it uses."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from machine.errors import UsageError
from machine.fleet.problems import meant

FILE = "fleet.yaml"


@dataclass(frozen=True, slots=True)
class Example:
    """One of them."""

    name: str
    summary: str  # one line: the first of its file
    contents: dict[str, bytes]  # by file name


def examples() -> list[Example]:
    """All, by name."""
    place = Path(__file__).parents[1] / "templates" / "fleet"
    return [_example(each) for each in sorted(place.iterdir()) if each.is_dir()]


def write_example(name: str, path: str) -> list[str]:
    """Write an example: its fleet file to ``path``, and what that uses beside it.

    Returns:
        The files that are there now.

    Raises:
        UsageError: there is no such example, or one of the files exists; then none is written.
    """
    known = {each.name: each for each in examples()}
    if name not in known:
        raise UsageError(f"there is no example {name!r}{meant(name, known)}", hint="pymachine fleet init --list")
    directory = os.path.dirname(path)
    contents = {
        path if each == FILE else os.path.join(directory, each): content
        for each, content in known[name].contents.items()
    }
    there = [each for each in contents if os.path.lexists(each)]
    if there:
        raise UsageError(
            f"{there[0]} exists, and nothing was written",
            hint="an example beside it: pymachine fleet init --example NAME OTHER/fleet.yaml",
        )
    try:
        os.makedirs(directory or ".", exist_ok=True)
        for each, content in contents.items():
            with open(each, "xb") as file:
                file.write(content)
    except OSError as error:
        raise UsageError(f"{error.filename or path} cannot be written", cause=error.strerror) from error
    return list(contents)


def _example(place: Path) -> Example:
    contents = {each.name: each.read_bytes() for each in sorted(place.iterdir())}
    summary = contents[FILE].decode().partition("\n")[0].lstrip("# ")
    return Example(place.name, summary, contents)
