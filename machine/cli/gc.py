"""``pymachine gc``: what was left behind, found and removed."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict

import click


@click.command()
@click.option("--dry-run", is_flag=True, help="Show what would be removed.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("-o", "--output", type=click.Choice(["table", "json"]), default="table", show_default=True)
@click.pass_obj
def command(directory: str, dry_run: bool, yes: bool, output: str) -> int:
    """Find and remove what carries this store's marks and belongs to no machine.

    Exits 1 when something is left that it should have removed, or when a provider could not be asked.
    """
    from machine.cli.context import cancelled_by_signals, opened_client
    from machine.cli.failures import show_error
    from machine.errors import Cancelled, PymachineError
    from machine.shell.listing import table

    with opened_client(directory) as client:
        found = client.survey()
        if output == "json":
            click.echo(json.dumps(asdict(found), indent=2))
        elif found.orphans:
            rows = [(each.driver, each.kind, each.id, each.machine, each.reason) for each in found.orphans]
            click.echo(table(("DRIVER", "KIND", "ID", "MACHINE", "WHY"), [*rows]), nl=False)
        else:
            click.echo("Nothing was left behind.")
        for each in found.foreign:
            text = f"not touched: {each.driver} {each.kind} {each.id} ({each.machine}) has this store's marks,"
            click.echo(f"{text} and was made by no operation of this store (a copy of it?)", err=True)
        for line in found.silent:
            click.echo(f"could not ask {line}", err=True)
        code = 1 if found.silent else 0
        if dry_run or not found.orphans or (output == "json" and not yes):
            return code
        if not yes:
            click.echo("Remove all of these? (y/n): ", nl=False)
            if sys.stdin.readline().strip().lower() not in ("y", "yes"):
                return code
        with cancelled_by_signals() as cancellation:
            for orphan in found.orphans:
                try:
                    client.using(cancellation=cancellation).collect(orphan)
                except Cancelled:
                    raise
                except PymachineError as error:  # the others are still removed
                    code = show_error(error)
                else:
                    click.echo(f"{orphan.id} is gone.", err=output == "json")
    return code
