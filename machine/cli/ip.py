"""``pymachine ip``: the address that is recorded."""

from __future__ import annotations

import click


@click.command()
@click.argument("names", nargs=-1)
@click.pass_obj
def command(directory: str, names: tuple[str, ...]) -> None:
    """Print the addresses of machines."""
    from machine.cli.context import meant, opened_client

    with opened_client(directory) as client:
        machines = [meant(client, name) for name in names or (None,)]
        for address in [client.ip(machine) for machine in machines]:
            click.echo(address)
