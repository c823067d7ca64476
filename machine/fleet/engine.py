"""An engine's settings as a fleet file says them: the same words, and the same checks, as the flags of ``create``."""

from __future__ import annotations

from typing import Any

from machine.errors import UsageError
from machine.fleet.model import Position
from machine.fleet.problems import Problems
from machine.fleet.schema import engine_fields
from machine.fleet.tree import List, Map
from machine.fleet.variables import Secret
from machine.model import EngineSpec
from machine.operations.enginesecrets import taken_out
from machine.operations.enginesettings import engine_spec
from machine.store.config import Config

_NOTHING = Config("")


def engine_settings(said: Map, problems: Problems) -> dict[str, Any]:
    """The fields of `machine.model.EngineSpec` that were said. What the schema found wrong is left out."""
    values: dict[str, Any] = {}
    fine = True
    for key, (field, several) in engine_fields().items():
        if key not in said or isinstance(said[key], Map):
            continue
        if several:
            items = said.listed(key)
            texts = tuple(str(each) for each in items if isinstance(each, str))
            for item, at in zip(items, items.items_at, strict=True):
                if isinstance(item, str):
                    fine &= _check({field: (str(item),)}, at, problems)
                    _require_kept_apart(field, (item,), at, problems)
            values[field] = texts
        elif not isinstance(said[key], List):
            values[field] = str(said.text(key))
            at = said.values_at[key]
            if not field.startswith("repository"):  # its two go together
                fine &= _check({field: values[field]}, at, problems)
            _require_kept_apart(field, said[key], at, problems)
    if fine:
        _check(values, said.at, problems)
    return values


def _check(given: dict[str, Any], at: Position, problems: Problems) -> bool:
    try:
        engine_spec(given, _NOTHING, {})
    except UsageError as error:
        text = f"{error.message}; {error.hint}" if error.hint else error.message
        problems.add(at, text.replace("--engine-", ""))
        return False
    return True


def _require_kept_apart(field: str, value: Any, at: Position, problems: Problems) -> None:
    """A secret is let into a setting only where the store knows it for one, and keeps it in a file of its own."""
    secrets = [each for each in (value if isinstance(value, tuple) else (value,)) if isinstance(each, Secret)]
    if not secrets:
        return
    without, _ = taken_out(EngineSpec(**{field: value}))
    left = str(getattr(without, field))
    if any(hidden in left for secret in secrets for hidden in secret.hidden):
        problems.add(
            at,
            "a secret variable here would be recorded in plain text: it is kept apart only as the password of a URL, "
            "or where the setting's name says so, as in API_TOKEN=${token}",
        )
