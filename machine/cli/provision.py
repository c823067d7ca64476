"""``pymachine provision``."""

from __future__ import annotations

import click


@click.command()
@click.argument("names", nargs=-1)
@click.pass_obj
def command(directory: str, names: tuple[str, ...]) -> int:
    """Make hosts as wanted once more: agent, certificate, engine."""
    from machine.cli.several import run_on
    from machine.operations.lifecycle import provision

    return run_on(directory, names, provision, lambda machine: f"{machine.name} is as wanted at {machine.url}.")
