"""``pymachine rm``: everything that was made, and then the record."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

import click

from machine.cli.selecting import selector_options
from machine.errors import UsageError

if TYPE_CHECKING:
    from machine.api.choosing import Selector
    from machine.model import Machine


@click.command()
@click.argument("names", nargs=-1)
@selector_options
@click.option(
    "-f",
    "--force",
    is_flag=True,
    help="Also when the host or the provider does not answer; implies --yes. "
    "What may be left is said, and the exit code is 1.",
)
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("--keep-agent", is_flag=True, help="Leave the agent on a host that stays (generic).")
@click.pass_obj
def command(directory: str, selector: Selector, force: bool, yes: bool, keep_agent: bool) -> int:
    """Remove machines. Exits 1 when something was left."""
    if not selector.says_something:
        raise UsageError("Expected to get one or more machine names as arguments", hint="see them all: pymachine ls")
    from machine.cli.context import cancelled_by_signals, looked_up, opened_client
    from machine.cli.failures import show_error
    from machine.cli.progress import shown
    from machine.cli.selecting import selected
    from machine.compat import words
    from machine.errors import Cancelled
    from machine.program import is_drop_in

    with opened_client(directory) as opened:
        drop_in = is_drop_in()
        # docker-machine removes the others; under our own name nothing is removed where one is mistyped.
        machines, unknown = looked_up(opened, selector.names) if drop_in else (selected(opened, selector), [])
        click.echo(f"About to remove {', '.join(selector.names if drop_in else [each.name for each in machines])}")
        if drop_in:
            click.echo(words.REMOVING)
        if not (yes or force):
            if not sys.stdin.isatty():
                click.echo("Nobody to ask: say -y to remove without a question.", err=True)
            click.echo("Are you sure? (y/n): ", nl=False)
            if not sys.stdin.readline().strip().lower().startswith("y"):
                return 0
        exit_code = 0
        for missing in unknown:
            told = UsageError(words.NOT_REMOVED.format(missing.machine, words.worded(missing)), hint=missing.hint)
            exit_code = 0 if show_error(told) and force else 1
        # One after the other under docker-machine's name, as it does; else side by side.
        with cancelled_by_signals() as cancellation, shown(several=len(machines) > 1) as emit:
            client = opened.using(on_event=emit, cancellation=cancellation, parallel=1 if drop_in else None)

            def action(machine: Machine) -> tuple[bool, float]:
                begun = time.monotonic()
                complete = client.rm(machine, force=force, keep_agent=keep_agent)
                return complete, time.monotonic() - begun

            outcomes = client.for_each(machines, action)
        for outcome in outcomes:
            if isinstance(outcome.error, Cancelled):
                raise outcome.error
            if outcome.error is not None:
                if drop_in:
                    outcome.error.message = words.NOT_REMOVED.format(outcome.machine, outcome.error.message)
                exit_code = show_error(outcome.error)
                continue
            complete, seconds = outcome.result
            done = f"{outcome.machine} is removed, after {seconds:.1f} s."
            click.echo(f"Successfully removed {outcome.machine}" if drop_in else done)
            exit_code = exit_code if complete or drop_in else 1
    return exit_code
