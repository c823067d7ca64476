"""``pymachine fleet apply``: make it so."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from machine.cli.fleetfile import fleet_file

if TYPE_CHECKING:
    from machine.fleet.changes import Change
    from machine.fleet.schedule import Outcome
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
    from machine.cli.fleetplan import read_fleet, show_plan, survey_of
    from machine.errors import UsageError
    from machine.fleet.lock import fleet_lock
    from machine.fleet.savedplan import SUFFIX, check_not_stale, read_plan
    from machine.operations.operation import Settings

    saved = read_plan(file) if file.endswith(SUFFIX) else None
    if saved is not None and (missing := sorted(set(saved.variables) - set(variables))):
        raise UsageError(
            f"{file} was made with variables, and their values are not in it",
            hint=f"say them again: {' '.join(f'--var {name}=…' for name in missing)}",
        )
    fleet = read_fleet(saved.file if saved is not None else file, variables)
    with opened_store(directory) as store, cancelled_by_signals() as cancellation:
        waiting = fleet_lock(
            store.directory,
            fleet.name,
            cancellation,
            wait=not no_wait,
            on_wait=lambda holder: click.echo(
                f"Waiting for another apply of the fleet {fleet.name}: {holder}.", err=True
            ),
        )
        with waiting:
            found = survey_of(store, directory, fleet, look=True)
            if saved is not None:
                check_not_stale(saved, found.plan, file)
            show_plan(found.plan)
            if not found.plan.pending:
                return 0
            if not agreed(found, yes=yes or saved is not None):
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
    import dataclasses

    from machine.cli.failures import show_error
    from machine.cli.fleetprogress import FleetProgress
    from machine.fleet.apply import apply, failures, not_begun

    begun = time.monotonic()
    progress = FleetProgress(len(found.plan.pending))
    with progress.shown():
        settings = dataclasses.replace(settings, emit=progress.emit)
        outcomes = apply(store, found, settings, parallel=parallel, max_failures=max_failures, ended=progress.ended)
    code = 0
    for error in failures(outcomes):
        code = max(code, show_error(error))
    _tell_not_begun(not_begun(outcomes))
    click.echo(f"{found.fleet.name}: {_counted(outcomes)}, after {time.monotonic() - begun:.1f} s.")
    if code or any(not each.done for each in outcomes):
        click.echo(f"To go on: pymachine fleet apply {found.fleet.file}", err=True)
    if _cancelled(settings):
        return 130
    return code or (0 if all(each.done for each in outcomes) else 1)


def _cancelled(settings: Settings) -> bool:
    from machine.errors import PymachineError

    try:
        settings.cancellation.check()
    except PymachineError:
        return True
    return False


def _tell_not_begun(left: Mapping[str, list[str]]) -> None:
    for why, names in left.items():
        shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
        click.echo(f"Not begun: {shown} ({why})", err=True)


def _counted(outcomes: list[Outcome[Change]]) -> str:
    done = sum(each.done for each in outcomes)
    failed = sum(each.error is not None for each in outcomes)
    skipped = len(outcomes) - done - failed
    said = f"{done} of {len(outcomes)} done"
    return said + (f", {failed} failed" if failed else "") + (f", {skipped} not begun" if skipped else "")
