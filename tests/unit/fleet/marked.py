"""Fleet files for tests, with a mark where something shall be found."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from machine.errors import FleetFileError
from machine.fleet.document import load_fleet
from machine.fleet.model import Fleet

MARK = "¦"
HOST = "driver: generic, options: {ip-address: 192.0.2.1}"


def write(directory: Path, text: str, name: str = "fleet.yaml") -> tuple[str, list[str]]:
    """Write a file without its marks; its path, and the places of the marks as messages begin with them."""
    path = directory / name
    places, plain = [], ""
    for part in text.split(MARK):
        if plain or part != text:
            plain += part
            lines = plain.split("\n")
            places.append(f"{path}:{len(lines)}:{len(lines[-1]) + 1}: ")
    path.write_text(plain or text)
    return str(path), places[:-1]


def load(
    directory: Path, text: str, environ: Mapping[str, str] | None = None, variables: Mapping[str, str] | None = None
) -> Fleet:
    """The fleet that a text says."""
    path, _ = write(directory, text)
    return load_fleet(path, environ or {}, variables or {})


def problems(directory: Path, text: str, environ: Mapping[str, str] | None = None) -> list[str]:
    """What is wrong with a text: as many problems as there are marks, each at its mark; their texts without places."""
    path, places = write(directory, text)
    with pytest.raises(FleetFileError) as caught:
        load_fleet(path, environ or {})
    found = list(caught.value.problems)
    assert len(found) == len(places), found
    for problem, place in zip(found, places, strict=True):
        assert problem.startswith(place), found
        assert problem in caught.value.message
    return [problem.removeprefix(place) for problem, place in zip(found, places, strict=True)]
