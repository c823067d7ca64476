"""Options that a driver declares, as flags of a command."""

from __future__ import annotations

from typing import Any

import click

from machine.compat.names import old_prefixes
from machine.driver import DeclaredOption


def of_driver(options: list[click.Option]) -> list[click.Option]:
    """Mark options as those of one driver: they go when another one is chosen."""
    for each in options:
        each.of_driver = True  # type: ignore[attr-defined]
    return options


def driver_option(item: DeclaredOption) -> click.Option:
    """A driver's declared option as a flag; its value is checked by `resolve_options`, the same way as everywhere."""
    notes = [f"env: {', '.join(item.info.env)}"] if item.info.env else []
    if item.default not in (None, (), False) and item.default is not ...:
        default = item.default
        if not item.info.required:
            notes.append(f"default: {default}")
    if item.info.required:
        notes.append("required")
    text = item.info.help + (f" [{'; '.join(notes)}]" if notes else "")
    settings: dict[str, Any] = {"help": text, "default": None}
    driver, own = item.flag[2:].partition("-")[0], item.name.replace("_", "-")
    flags = (item.flag, *item.info.aliases, *(f"{prefix}{own}" for prefix in old_prefixes(driver)))
    if item.kind is bool:
        option = click.Option([*flags, item.name], is_flag=True, flag_value=True, **settings)
    else:
        metavar = item.info.metavar or ("|".join(item.info.choices) if item.info.choices else None)
        option = click.Option([*flags, item.name], multiple=item.kind is tuple, metavar=metavar, type=str, **settings)
    return of_driver([option])[0]
