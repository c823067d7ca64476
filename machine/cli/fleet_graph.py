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
    from machine.cli.context import opened_store
    from machine.cli.fleetplan import read_fleet
    from machine.fleet.graph import as_dot, as_mermaid, as_svg, boxes

    fleet = read_fleet(file, variables)
    with opened_store(directory) as store:
        groups = boxes(fleet, store.machines.all())
    if output == "svg":
        click.echo(as_svg(fleet, groups), nl=False)
    elif output == "dot":
        click.echo(as_dot(fleet, groups), nl=False)
    else:
        click.echo(as_mermaid(groups), nl=False)
    return 0
