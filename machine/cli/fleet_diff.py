"""``pymachine fleet diff``: what has changed at providers and on hosts since the last apply."""

from __future__ import annotations

import json

import click

from machine.cli.fleetfile import fleet_file

DRIFTED = 2  # the exit code where something is not as it was left


@click.command()
@fleet_file
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--timeout", type=click.FloatRange(min=1), metavar="SECONDS", default=30.0, show_default=True,
              help="For each host.")  # fmt: skip
@click.pass_obj
def command(directory: str, file: str, variables: dict[str, str], output: str, timeout: float) -> int:
    """Ask providers and hosts whether the fleet's machines are as they were left.

    Looks at states, at the files that the fleet has put on the hosts, and at the engine's settings. Exits 0 when all is
    as it was left, 2 when something is not, 1 when a host could not be asked.
    """
    from machine.cli.context import cancelled_by_signals, opened_client
    from machine.cli.failures import show_error
    from machine.cli.fleetplan import read_fleet

    fleet = read_fleet(file, variables)
    with opened_client(directory) as client, cancelled_by_signals() as cancellation:
        outcomes = client.using(cancellation=cancellation, timeout=timeout).fleet(fleet).diff()
    failed = [outcome.error for outcome in outcomes if outcome.error is not None]
    drifted = {outcome.machine: outcome.result.found for outcome in outcomes if outcome.ok}
    if output == "json":
        click.echo(json.dumps({name: list(lines) for name, lines in drifted.items()}, indent=2, ensure_ascii=False))
    else:
        for name, lines in drifted.items():
            click.echo(f"{name}:")
            for line in lines:
                click.echo(f"  {line}")
        if not outcomes:
            click.echo(f"{fleet.name}: all is as it was left.")
        if drifted:
            click.echo(f"To put it back: pymachine fleet apply --hosts {file}")
    for error in failed:
        show_error(error)
    return 1 if failed else DRIFTED if drifted else 0
