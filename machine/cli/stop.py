"""``pymachine stop``."""

from __future__ import annotations

import functools

import click


@click.command()
@click.argument("names", nargs=-1)
@click.pass_obj
def command(directory: str, names: tuple[str, ...]) -> int:
    """Shut machines down in order."""
    from machine.cli.several import run_on
    from machine.operations.lifecycle import stop

    action = functools.partial(stop, at_once=False)
    return run_on(directory, names, "stop", action, lambda machine: f"{machine.name} is stopped.")
