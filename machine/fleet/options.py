"""A driver's options as a fleet file says them: in the types that the driver declares, checked by its own parsers."""

from __future__ import annotations

import os
from typing import Any

from machine.driver import DeclaredOption, Driver, declared_options, parse_option
from machine.fleet.problems import Problems
from machine.fleet.schema import option_key
from machine.fleet.tree import List, Map

# What options that take a file call their value: these are relative to the fleet file, not to where people are.
_FILES = ("FILE", "PATH", "DIR")


class Declared:
    """A driver's options by their keys, looked up once."""

    def __init__(self, driver: Driver) -> None:
        self.driver = driver
        self.by_key = {option_key(item): item for item in declared_options(driver)}
        self.required = [item for item in self.by_key.values() if item.info.required]


def driver_options(declared: Declared, said: Map, problems: Problems) -> dict[str, Any]:
    """The fields of the driver's ``Options`` that were said. What the schema found wrong is left out."""
    values: dict[str, Any] = {}
    for key, value in said.items():
        item = declared.by_key.get(key)
        if item is None or isinstance(value, Map):
            continue
        if item.info.secret:
            problems.add(said.keys_at[key], _refusal(item))
            continue
        try:
            values[item.name] = parse_option(item, _as_text(item, said, key))
        except ValueError as error:
            # A driver speaks of flags; here its options are keys.
            problems.add(said.values_at[key], f"{key}: {str(error).replace(f'--{declared.driver.name}-', '')}")
    return values


def _as_text(item: DeclaredOption, said: Map, key: str) -> Any:
    """The value as a command line would have it: the parsers are written for that."""
    value = said[key]
    if isinstance(value, List):
        texts = tuple(value.text(index) for index in range(len(value)))
        return texts if item.kind is tuple else ",".join(texts)
    text = said.text(key)
    if item.info.metavar in _FILES and text and not text.startswith("~"):
        # Absolute: a create that goes on later does so from anywhere.
        return os.path.abspath(os.path.join(os.path.dirname(said.values_at[key].file), text))
    return text


def _refusal(item: DeclaredOption) -> str:
    """Why a secret cannot be said: the machine would be made, and no later command could stop or remove it."""
    instead = f"set ${item.info.env[0]}, which every command reads" if item.info.env else "leave it out"
    return f"{option_key(item)} is a secret: a fleet file is shared, and later commands would not know it; {instead}"
