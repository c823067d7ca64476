"""``pymachine start``."""

from __future__ import annotations

import click


@click.command()
@click.argument("names", nargs=-1)
@click.pass_obj
def command(directory: str, names: tuple[str, ...]) -> int:
    """Start machines that are stopped."""
    from machine.cli.several import run_on
    from machine.operations.lifecycle import start

    return run_on(directory, names, "start", start, lambda machine: f"{machine.name} is running at {machine.url}.")
