"""``pymachine restart``."""

from __future__ import annotations

import click


@click.command()
@click.argument("names", nargs=-1)
@click.pass_obj
def command(directory: str, names: tuple[str, ...]) -> int:
    """Restart the hosts of machines."""
    from machine.cli.several import run_on
    from machine.operations.lifecycle import restart

    return run_on(directory, names, "restart", restart, lambda machine: f"{machine.name} is running at {machine.url}.")
