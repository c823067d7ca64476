"""Passwords in an engine's settings: in the record stands a placeholder, what it stands for lies in a file.

``machines/NAME/engine-secrets.json``, which only its owner can read, is written in the reservation of ``create``,
before anything is done, and goes with the machine. Whoever sends settings to a host puts back what was taken out.

A secret is no part of what a machine is wanted to be: a create that is repeated with another password goes on, and with
the new one. Who has mistyped it need not start over.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping
from typing import Any

from machine.errors import StoreError
from machine.model import EngineSpec
from machine.operations.log import hide
from machine.store.files import Files

ENGINE_SECRETS = "engine-secrets.json"
HIDDEN = "[hidden]"

# The fields that may hold one, and the flags that people say them by.
_FIELDS = {
    "environment": "--engine-env",
    "options": "--engine-opt",
    "registry_mirrors": "--engine-registry-mirror",
    "repository": "--engine-repository",
}
# All before the last @: a password with an @ that is not written %40 is seen, too.
_USER_INFO = re.compile(r"(?<=://)([^/\s?#\"']+)(?=@)")
# AWS_SECRET_ACCESS_KEY=…, log-opt=splunk-token=…
_TELLING = re.compile(
    r"([^=]*=)*?[^=]*(passw|secret|token|credential|api.?key|access.?key)[^=]*=(?P<secret>.+)",
    re.IGNORECASE | re.DOTALL,
)
_SHORTEST = 4  # characters: what is shorter stands in too many lines of a log to be taken out of all


def taken_out(engine: EngineSpec) -> tuple[EngineSpec, dict[str, Any]]:
    """An engine's settings without secrets, and the fields that have some, whole. No log shows them from now on."""
    found: dict[str, Any] = {}
    for field in _FIELDS:
        value = getattr(engine, field)
        if value and _hidden(value) != value:
            found[field] = value
            for text in [value] if isinstance(value, str) else value:
                _tell_the_log(text)
    without: dict[str, Any] = {field: _hidden(value) for field, value in found.items()}
    return dataclasses.replace(engine, **without), found


def put_back(files: Files, engine: EngineSpec) -> EngineSpec:
    """An engine's settings with the secrets that are kept among a machine's files.

    Raises:
        StoreError: there are placeholders, and the file that says what they stand for is not there or another's.
    """
    if HIDDEN not in json.dumps([getattr(engine, field) for field in _FIELDS]):
        return engine
    try:
        kept = json.loads(files.read(ENGINE_SECRETS) or b"{}")
        fields: dict[str, Any] = {name: tuple(each) if isinstance(each, list) else each for name, each in kept.items()}
        whole = dataclasses.replace(engine, **fields)
    except (ValueError, TypeError, AttributeError):  # no JSON, or no settings
        whole = engine
    without, found = taken_out(whole)
    if without != engine or not found:
        raise StoreError(
            "the passwords of the engine's settings are not kept, or not those of this machine",
            cause=f"{files.path(ENGINE_SECRETS)} does not say what {HIDDEN} stands for",
            hint="restore that file; or say the settings again, with their passwords, to create",
        )
    return whole


def as_file(secrets: Mapping[str, Any]) -> dict[str, bytes]:
    """What is to be written among a machine's files, by the file's name; nothing without secrets."""
    return {ENGINE_SECRETS: json.dumps(secrets).encode()} if secrets else {}


def flags_with_secrets(engine: EngineSpec) -> list[str]:
    """The flags whose values hold one: people should know where it goes."""
    return [_FIELDS[field] for field in taken_out(engine)[1]]


def _hidden(value: Any) -> Any:
    if isinstance(value, str):
        value = _USER_INFO.sub(HIDDEN, value)
        if telling := _TELLING.fullmatch(value):
            value = value[: telling.start("secret")] + HIDDEN
        return value
    return tuple(map(_hidden, value))


def _tell_the_log(text: str) -> None:
    parts = [found[1] for found in _USER_INFO.finditer(text)]
    parts += [part.partition(":")[2] for part in parts]
    if telling := _TELLING.fullmatch(text):
        parts.append(telling["secret"])
    for part in parts:
        if len(part) >= _SHORTEST and part != HIDDEN:
            hide(part)
