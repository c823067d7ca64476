"""``pymachine fleet status``: each machine as it is wanted, recorded and seen."""

from __future__ import annotations

import json

import click

from machine.cli.fleetfile import fleet_file

_HEADERS = ("MACHINE", "GROUP", "WANTED", "RECORDED", "OBSERVED", "URL", "PLAN")


@click.command()
@fleet_file
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--recorded", is_flag=True, help="Ask no provider and no host; believe what is recorded.")
@click.pass_obj
def command(directory: str, file: str, variables: dict[str, str], output: str, recorded: bool) -> int:
    """Show the machines of a fleet."""
    from machine.cli.context import opened_client
    from machine.cli.fleetplan import read_fleet, summary
    from machine.fleet.status import standings
    from machine.shell.listing import table

    fleet = read_fleet(file, variables)
    with opened_client(directory) as client:
        found = client.fleet(fleet).survey(recorded=recorded)
    rows = standings(found)
    if output == "json":
        click.echo(json.dumps([each.document() for each in rows], indent=2, ensure_ascii=False))
        return 0
    cells: list[tuple[str, ...]] = [
        (
            each.machine,
            each.group,
            "yes" if each.wanted else "no",
            each.recorded or "-",
            each.observed or "-",
            each.url or "-",
            f"{each.action}: {'; '.join(each.reasons)}" if each.reasons else "-",
        )
        for each in rows
    ]
    click.echo(table(_HEADERS, cells), nl=False)
    click.echo(summary(found.plan), err=True)
    return 0
