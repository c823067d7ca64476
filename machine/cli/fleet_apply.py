"""``pymachine fleet apply``: make it so."""

from __future__ import annotations

import contextlib
import sys
import time
from typing import TYPE_CHECKING, Any

import click

from machine.cli.fleetfile import fleet_file

if TYPE_CHECKING:
    from machine.fleet.changes import Plan
    from machine.fleet.model import Fleet


@click.command()
@fleet_file
@click.option(
    "-y",
    "--yes",
    is_flag=True,
    help="Do not ask: neither before something is replaced or removed, nor "
    "before an engine's configuration is changed.",
)
@click.option("--hosts", is_flag=True, help="Also log in to every host, and put back what was changed there.")
@click.option("--parallel", type=click.IntRange(min=1), metavar="N", help="At most so many machines at once, in all.")
@click.option(
    "--max-failures",
    type=click.IntRange(min=0),
    metavar="N",
    help="Begin nothing more of a group in which more than so many failed. [default: as the file says, else 0]",
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=1),
    metavar="SECONDS",
    default=900.0,
    show_default=True,
    help="For each operation on a machine.",
)
@click.option("--no-wait", is_flag=True, help="Do not wait for another apply of the same fleet.")
@click.pass_obj
def command(
    directory: str,
    file: str,
    variables: dict[str, str],
    yes: bool,
    hosts: bool,
    parallel: int | None,
    max_failures: int | None,
    timeout: float,
    no_wait: bool,
) -> int:
    """Make the machines as the fleet's file says; FILE may also be a saved plan.

    Files, engines and endpoints are believed to be as they were left, unless --hosts lets every host be asked: a saved
    plan was made with it, or not.

    One machine that fails is told and does not stop the others, as far as --max-failures allows. What was cut off goes
    on when it is repeated; what is as wanted is left alone.
    """
    from machine.cli.context import cancelled_by_signals, consent_asker, opened_client
    from machine.cli.fleetplan import read_fleet, show_plan, told_who
    from machine.cli.fleetprogress import FleetProgress, told
    from machine.errors import UsageError
    from machine.fleet.savedplan import SUFFIX, check_not_stale, read_plan

    saved = read_plan(file) if file.endswith(SUFFIX) else None
    if saved is not None and (missing := sorted(set(saved.variables) - set(variables))):
        raise UsageError(
            f"{file} was made with variables, and their values are not in it",
            hint=f"say them again: {' '.join(f'--var {name}=…' for name in missing)}",
        )
    if saved is not None and hosts and not saved.hosts:
        hint = f"make another: pymachine fleet plan --hosts --out {file} {saved.file}"
        raise UsageError(f"{file} was made without --hosts", hint=hint)
    fleet = read_fleet(saved.file if saved is not None else file, variables)
    code, begun, progress = 0, time.monotonic(), FleetProgress(0)

    def agree(plan: Plan) -> bool:
        nonlocal code, begun, progress
        if saved is not None:
            check_not_stale(saved, plan, file)
        show_plan(plan)
        code = 1 if plan.unknown else 0
        if not plan.pending:
            return False
        if not agreed(plan, yes=yes or saved is not None) or not agreed_here(fleet, plan, yes=yes):
            code = 1
            return False
        begun, progress = time.monotonic(), FleetProgress(len(plan.pending))
        drawing.enter_context(progress.shown())
        return True

    with opened_client(directory) as opened, cancelled_by_signals() as cancellation:
        client = opened.using(
            on_event=lambda event: progress.emit(event),
            ask_consent=consent_asker(yes),
            cancellation=cancellation,
            timeout=timeout,
            parallel=parallel,
        )
        with contextlib.ExitStack() as drawing:
            outcomes = client.fleet(fleet).apply(
                hosts=hosts if saved is None else saved.hosts,
                agree=agree,
                max_failures=max_failures,
                wait=not no_wait,
                on_wait=told_who(fleet),
                on_end=lambda outcome: progress.ended(outcome),
            )
        if not outcomes:
            return code
        ends = [progress.ends[each.machine] for each in outcomes]
        return told(fleet, ends, time.monotonic() - begun, stopped=cancellation.cancelled) or code


def agreed(plan: Plan, *, yes: bool) -> bool:
    """Whether what goes may go: asked on a terminal, refused where there is none."""
    going = [change.machine for change in plan.pending if change.destroys]
    if not going or yes:
        return True
    from machine.cli.context import confirmed

    several = f"{len(going)} machines" if len(going) > 1 else going[0]
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        click.echo(f"Error: {several} would be removed or replaced, and there is nobody to ask", err=True)
        click.echo("  next:  to agree, say -y; or apply a plan that you have saved and looked at", err=True)
        return False
    return confirmed(f"{several} will be removed or replaced, with all that is on them. Go on?", default=False)


def agreed_here(fleet: Fleet, plan: Plan, *, yes: bool) -> bool:
    """Say what a local driver changes on this computer the first time, and ask on a terminal."""
    from machine.cli.context import confirmed
    from machine.driver import load_driver
    from machine.fleet.changes import Verb

    names = {machine.name: machine.driver for machine in fleet.machines()}
    making = {names[change.machine] for change in plan.pending if Verb.CREATE in change.verbs}
    lines: list[str] = []
    for name in sorted(making):
        driver: Any = load_driver(name)
        if driver.capabilities.local_rank is not None and driver.usable_here() is None:
            lines += driver.host_changes()
    if not lines:
        return True
    click.echo("On this computer this makes, until the last local machine is removed:")
    for line in lines:
        click.echo(f"  - {line}")
    return yes or not (sys.stdin.isatty() and sys.stdout.isatty()) or confirmed("Go on?", default=True)
