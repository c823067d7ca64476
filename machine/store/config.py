"""``config.toml`` beside the database: what the operator always wants. Flag > environment > file > default.

driver = "generic"
host-key-policy = "strict"
tls-san = ["web.example.org"]
engine-source = "docker"
engine-registry-mirror = ["https://mirror.example.org"]

[drivers.generic]
ssh-user = "admin"
"""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from machine.errors import UsageError

FILE = "config.toml"
_KEYS: dict[str, type] = {
    "driver": str, "host-key-policy": str, "tls-san": list, "timeout": float,
    "engine-source": str, "engine-version": str, "engine-repository": str, "engine-repository-key": str,
    "engine-opt": list, "engine-label": list, "engine-insecure-registry": list, "engine-registry-mirror": list,
    "engine-storage-driver": str, "engine-env": list,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Config:
    """What the file says."""

    path: str
    values: Mapping[str, Any] = field(default_factory=dict)  # the keys above
    drivers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)  # a driver's options, fields as in Options


def read_config(directory: str) -> Config:
    """The store's configuration; no file is an empty one.

    Raises:
        UsageError: it is no TOML, or has a key or a type that nothing here understands.
    """
    path = os.path.join(directory, FILE)
    if not os.path.exists(path):
        return Config(path)
    if sys.version_info >= (3, 11):  # most stores have no such file, and need not import a parser for it
        import tomllib
    else:
        import tomli as tomllib
    try:
        with open(path, "rb") as file:
            document = tomllib.load(file)
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read", cause=str(error)) from error
    drivers = document.pop("drivers", {})
    for key, value in document.items():
        if key not in _KEYS:
            close = difflib.get_close_matches(key, [*_KEYS, "drivers"], n=1)
            hint = f"did you mean {close[0]}?" if close else f"known: {', '.join([*_KEYS, 'drivers'])}"
            raise UsageError(f"{path}: unknown key {key!r}", hint=hint)
        wanted = (int, float) if _KEYS[key] is float else _KEYS[key]
        if not isinstance(value, wanted) or isinstance(value, bool):
            raise UsageError(f"{path}: {key} must be a {_KEYS[key].__name__}, not {value!r}")
    tables: dict[str, dict[str, Any]] = {}
    if not isinstance(drivers, dict):
        raise UsageError(f"{path}: drivers must be tables, one per driver: [drivers.generic]")
    for name, options in drivers.items():
        if not isinstance(options, dict):
            raise UsageError(f"{path}: drivers.{name} must be a table of options, not {options!r}")
        tables[name] = {option.replace("-", "_"): value for option, value in options.items()}
    return Config(path, document, tables)
