"""``pymachine ip``: the address that is recorded."""

from __future__ import annotations

import click

from machine.errors import NotRunning


@click.command()
@click.argument("names", nargs=-1)
@click.pass_obj
def command(directory: str, names: tuple[str, ...]) -> None:
    """Print the addresses of machines."""
    from machine.cli.context import meant, opened_store

    with opened_store(directory) as store:
        machines = [meant(store, name) for name in names or (None,)]
    for machine in machines:
        if machine.address is None:
            raise NotRunning(
                f'"{machine.name}" has no address yet',
                machine=machine.name,
                cause=machine.error,
                hint=f"go on making it: pymachine create {machine.name}",
            )
    for machine in machines:
        click.echo(machine.address)
