"""``pymachine kill``."""

from __future__ import annotations

import functools

import click


@click.command()
@click.argument("names", nargs=-1)
@click.pass_obj
def command(directory: str, names: tuple[str, ...]) -> int:
    """Stop machines at once, as a power cut would."""
    from machine.cli.several import run_on
    from machine.operations.lifecycle import stop

    action = functools.partial(stop, at_once=True)
    return run_on(directory, names, "kill", action, lambda machine: f"{machine.name} is stopped.")
