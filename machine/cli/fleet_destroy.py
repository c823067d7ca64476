"""``pymachine fleet destroy``: remove all that a fleet has made."""

from __future__ import annotations

import contextlib
import sys
import time
from typing import TYPE_CHECKING

import click

from machine.cli.fleetfile import fleet_file

if TYPE_CHECKING:
    from machine.model import Machine


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
    from machine.cli.context import cancelled_by_signals, confirmed, opened_client
    from machine.cli.fleetplan import read_fleet, told_who
    from machine.cli.fleetprogress import FleetProgress, told

    code, begun, progress = 0, time.monotonic(), FleetProgress(0)

    def agree(machines: list[Machine]) -> bool:
        nonlocal code, begun, progress
        if not machines:
            click.echo(f"{fleet.name}: there is nothing to remove.")
            return False
        click.echo(f"About to remove {', '.join(machine.name for machine in machines)}")
        if not yes:
            if not (sys.stdin.isatty() and sys.stdout.isatty()):
                click.echo("Error: there is nobody to ask\n  next:  to agree, say -y", err=True)
                code = 1
                return False
            if not confirmed(f"Remove all {len(machines)}, with all that is on them?", default=False):
                code = 1
                return False
        begun, progress = time.monotonic(), FleetProgress(len(machines))
        drawing.enter_context(progress.shown())
        return True

    fleet = read_fleet(file, variables)
    with opened_client(directory) as opened, cancelled_by_signals() as cancellation:
        client = opened.using(on_event=lambda event: progress.emit(event), cancellation=cancellation, parallel=parallel)
        with contextlib.ExitStack() as drawing:
            outcomes = client.fleet(fleet).destroy(
                agree=agree,
                wait=not no_wait,
                on_wait=told_who(fleet),
                on_end=lambda outcome: progress.ended(outcome),
            )
        if not outcomes:
            return code
        ends = [progress.ends[each.machine] for each in outcomes]
        return told(fleet, ends, time.monotonic() - begun, stopped=cancellation.cancelled)
