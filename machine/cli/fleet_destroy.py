"""``pymachine fleet destroy``: remove all that a fleet has made."""

from __future__ import annotations

import sys
import time

import click

from machine.cli.fleetfile import fleet_file


@click.command()
@fleet_file
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("--parallel", type=click.IntRange(min=1), metavar="N", help="At most so many machines at once.")
@click.option("--no-wait", is_flag=True, help="Do not wait for an apply of the same fleet.")
@click.pass_obj
def command(
    directory: str, file: str, variables: dict[str, str], yes: bool, parallel: int | None, no_wait: bool
) -> int:
    """Remove the machines that a fleet has made, those first that wait for others. Others are never touched."""
    from machine.cli.context import ask_passphrase, cancelled_by_signals, opened_store
    from machine.cli.fleetplan import locked, read_fleet
    from machine.cli.fleetprogress import FleetProgress, told
    from machine.fleet.destroy import destroy, owned
    from machine.operations.operation import Settings

    fleet = read_fleet(file, variables)
    with (
        opened_store(directory) as store,
        cancelled_by_signals() as cancellation,
        locked(store, fleet, cancellation, wait=not no_wait),
    ):
        machines = owned(store, fleet.name)
        if not machines:
            click.echo(f"{fleet.name}: there is nothing to remove.")
            return 0
        click.echo(f"About to remove {', '.join(machine.name for machine in machines)}")
        if not yes:
            if not (sys.stdin.isatty() and sys.stdout.isatty()):
                click.echo("Error: there is nobody to ask\n  next:  to agree, say -y", err=True)
                return 1
            if not click.confirm(f"Remove all {len(machines)}, with all that is on them?", default=False):
                return 1
        begun, progress = time.monotonic(), FleetProgress(len(machines))
        with progress.shown():
            settings = Settings(emit=progress.emit, ask_passphrase=ask_passphrase, cancellation=cancellation)
            outcomes = destroy(store, fleet, machines, settings, parallel=parallel, ended=progress.ended)
        return told(fleet, outcomes, time.monotonic() - begun, settings)
