"""``pymachine fleet apply``: make it so."""

from __future__ import annotations

import dataclasses
import sys
import time
from typing import TYPE_CHECKING, Any

import click

from machine.cli.fleetfile import fleet_file

if TYPE_CHECKING:
    from machine.fleet.survey import Survey
    from machine.operations.operation import Settings
    from machine.store.store import Store


@click.command()
@fleet_file
@click.option(
    "-y",
    "--yes",
    is_flag=True,
    help="Do not ask: neither before something is replaced or removed, nor "
    "before an engine's configuration is changed.",
)
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
    parallel: int | None,
    max_failures: int | None,
    timeout: float,
    no_wait: bool,
) -> int:
    """Make the machines as the fleet's file says; FILE may also be a saved plan.

    One machine that fails is told and does not stop the others, as far as --max-failures allows. What was cut off goes
    on when it is repeated; what is as wanted is left alone.
    """
    from machine.cli.context import ask_passphrase, cancelled_by_signals, consent_asker, opened_store
    from machine.cli.fleetplan import locked, read_fleet, show_plan, survey_of
    from machine.errors import UsageError
    from machine.fleet.savedplan import SUFFIX, check_not_stale, read_plan
    from machine.operations.operation import Settings

    saved = read_plan(file) if file.endswith(SUFFIX) else None
    if saved is not None and (missing := sorted(set(saved.variables) - set(variables))):
        raise UsageError(
            f"{file} was made with variables, and their values are not in it",
            hint=f"say them again: {' '.join(f'--var {name}=…' for name in missing)}",
        )
    fleet = read_fleet(saved.file if saved is not None else file, variables)
    with (
        opened_store(directory) as store,
        cancelled_by_signals() as cancellation,
        locked(store, fleet, cancellation, wait=not no_wait),
    ):
        found = survey_of(store, directory, fleet, look=True)
        if saved is not None:
            check_not_stale(saved, found.plan, file)
        show_plan(found.plan)
        if not found.plan.pending:
            return 0
        if not agreed(found, yes=yes or saved is not None) or not agreed_here(found, yes=yes):
            return 1
        settings = Settings(
            ask_passphrase=ask_passphrase,
            ask_consent=consent_asker(yes),
            cancellation=cancellation,
            timeout=timeout,
        )
        return run(store, found, settings, parallel=parallel, max_failures=max_failures)


def agreed(found: Survey, *, yes: bool) -> bool:
    """Whether what goes may go: asked on a terminal, refused where there is none."""
    going = [change.machine for change in found.plan.pending if change.destroys]
    if not going or yes:
        return True
    several = f"{len(going)} machines" if len(going) > 1 else going[0]
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        click.echo(f"Error: {several} would be removed or replaced, and there is nobody to ask", err=True)
        click.echo("  next:  to agree, say -y; or apply a plan that you have saved and looked at", err=True)
        return False
    return click.confirm(f"{several} will be removed or replaced, with all that is on them. Go on?", default=False)


def agreed_here(found: Survey, *, yes: bool) -> bool:
    """Say what a local driver changes on this computer the first time, and ask on a terminal."""
    from machine.driver import load_driver
    from machine.fleet.changes import Verb

    names = {machine.name: machine.driver for machine in found.fleet.machines()}
    making = {names[change.machine] for change in found.plan.pending if Verb.CREATE in change.verbs}
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
    return yes or not (sys.stdin.isatty() and sys.stdout.isatty()) or click.confirm("Go on?", default=True)


def run(
    store: Store,
    found: Survey,
    settings: Settings,
    *,
    parallel: int | None = None,
    max_failures: int | None = None,
) -> int:
    """Apply a plan, and show it.

    Returns:
        The exit code: 0, or the worst of the errors'.
    """
    from machine.cli.fleetprogress import FleetProgress, told
    from machine.fleet.apply import apply

    begun = time.monotonic()
    progress = FleetProgress(len(found.plan.pending))
    with progress.shown():
        settings = dataclasses.replace(settings, emit=progress.emit)
        outcomes = apply(store, found, settings, parallel=parallel, max_failures=max_failures, ended=progress.ended)
    return told(found.fleet, outcomes, time.monotonic() - begun, settings)
