"""The fleet file and its variables on a command line; the same for every command that reads one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click


def _variables(_ctx: click.Context, _parameter: click.Parameter, given: tuple[str, ...]) -> dict[str, str]:
    values: dict[str, str] = {}
    for each in given:
        name, equals, value = each.partition("=")
        if not equals or not name:
            raise click.BadParameter(f"{each!r} is not NAME=VALUE")
        values[name] = value
    return values


def fleet_file(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``[FILE]`` and ``--var`` to a command, which gets them as ``file`` and ``variables``."""
    function = click.option(
        "--var",
        "variables",
        metavar="NAME=VALUE",
        multiple=True,
        callback=_variables,
        help="The value of one of the file's variables; repeatable.",
    )(function)
    return click.argument("file", default="fleet.yaml", metavar="[FILE]")(function)
