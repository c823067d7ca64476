"""``pymachine fleet graph``: a picture of a fleet's groups and of what they wait for."""

from __future__ import annotations

import click

from machine.cli.fleetfile import fleet_file


@click.command()
@fleet_file
@click.option("-o", "--output", type=click.Choice(["svg", "dot", "mermaid"]), default="svg", show_default=True)
@click.pass_obj
def command(directory: str, file: str, variables: dict[str, str], output: str) -> int:
    """Draw a fleet on stdout: `pymachine fleet graph >fleet.svg`. States are as recorded; nobody is asked."""
    from machine.cli.context import opened_client
    from machine.cli.fleetplan import read_fleet

    fleet = read_fleet(file, variables)
    with opened_client(directory) as client:
        click.echo(client.fleet(fleet).graph(output), nl=False)
    return 0
