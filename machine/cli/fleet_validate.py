"""``pymachine fleet validate``: whether a fleet file can be meant; nothing else is looked at."""

from __future__ import annotations

import click

from machine.cli.fleetfile import fleet_file


@click.command()
@fleet_file
def command(file: str, variables: dict[str, str]) -> int:
    """Check a fleet file, with all it includes, and say what is wrong with it and where.

    Asks no provider and no host, and needs no store.
    """
    from machine.fleet.document import load_fleet

    fleet = load_fleet(file, variables=variables)
    for line in fleet.warnings:
        click.echo(f"Warning: {line}", err=True)
    groups, machines = len(fleet.groups), sum(len(group.machines) for group in fleet.groups)
    click.echo(
        f"{file} is a fleet: {fleet.name}, "
        f"{groups} group{'' if groups == 1 else 's'}, {machines} machine{'' if machines == 1 else 's'}."
    )
    return 0
