"""An engine's settings as a fleet file says them: the same words, and the same checks, as the flags of ``create``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from machine.errors import UsageError
from machine.fleet.model import Position
from machine.fleet.problems import Problems
from machine.fleet.schema import engine_fields
from machine.fleet.tree import List, Map
from machine.fleet.variables import Secret
from machine.model import EngineSpec
from machine.operations.enginesecrets import HIDDEN, taken_out
from machine.operations.enginesettings import engine_spec
from machine.store.config import Config

_NOTHING = Config("")


def engine_settings(said: Map, problems: Problems) -> dict[str, Any]:
    """The fields of `machine.model.EngineSpec` that were said. What the schema found wrong is left out."""
    values: dict[str, Any] = {}
    secrets: list[str] = []
    fine = True
    for key, (field, several) in engine_fields().items():
        if key not in said or isinstance(said[key], Map):
            continue
        if not several:
            if isinstance(said[key], List):
                continue
            values[field] = str(said.text(key))
            parts = [(said[key], values[field], said.values_at[key])]
        else:
            items = said.listed(key)
            texts = [(each, at) for each, at in zip(items, items.items_at, strict=True) if isinstance(each, str)]
            values[field] = tuple(str(each) for each, _ in texts)
            parts = [((each,), (str(each),), at) for each, at in texts]
        for given, value, at in parts:
            secrets += _hidden(given)
            _require_kept_apart(field, given, at, problems)
            if not field.startswith("repository"):  # its two go together
                fine &= _check({field: value}, at, secrets, problems)
    if fine:
        _check(values, said.at, secrets, problems)
    return values


def _check(given: dict[str, Any], at: Position, secrets: Sequence[str], problems: Problems) -> bool:
    try:
        engine_spec(given, _NOTHING, {})
    except UsageError as error:
        text = f"{error.message}; {error.hint}" if error.hint else error.message
        for secret in secrets:
            text = text.replace(secret, HIDDEN)
        problems.add(at, text.replace("--engine-", ""))
        return False
    return True


def _hidden(value: Any) -> list[str]:
    """The secrets that stand in a setting."""
    parts = value if isinstance(value, tuple) else (value,)
    return [hidden for each in parts if isinstance(each, Secret) for hidden in each.hidden]


def _require_kept_apart(field: str, value: Any, at: Position, problems: Problems) -> None:
    """A secret is let into a setting only where the store knows it for one, and keeps it in a file of its own."""
    secrets = _hidden(value)
    if not secrets:
        return
    without, _ = taken_out(EngineSpec(**{field: value}))
    left = str(getattr(without, field))
    if any(each in left for each in secrets):
        problems.add(
            at,
            "a secret variable here would be recorded in plain text: it is kept apart only as the password of a URL, "
            "or where the setting's name says so, as in API_TOKEN=${token}",
        )
