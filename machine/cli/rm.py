"""``pymachine rm``: everything that was made, and then the record."""

from __future__ import annotations

import sys
import time

import click

from machine.errors import UsageError


@click.command()
@click.argument("names", nargs=-1)
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
def command(directory: str, names: tuple[str, ...], force: bool, yes: bool, keep_agent: bool) -> int:
    """Remove machines. Exits 1 when something was left."""
    if not names:
        raise UsageError("Expected to get one or more machine names as arguments", hint="see them all: pymachine ls")
    from machine.cli.context import all_meant, ask_passphrase, cancelled_by_signals, looked_up, opened_store
    from machine.cli.failures import show_error
    from machine.cli.progress import shown
    from machine.compat import words
    from machine.errors import Cancelled, PymachineError
    from machine.operations.absent import any_driver_of, driver_of
    from machine.operations.operation import Settings
    from machine.operations.remove import remove
    from machine.program import is_drop_in

    with opened_store(directory) as store:
        drop_in = is_drop_in()
        # docker-machine removes the others; under our own name nothing is removed where one is mistyped.
        machines, unknown = looked_up(store, names) if drop_in else (all_meant(store, names), [])
        click.echo(f"About to remove {', '.join(names if drop_in else [each.name for each in machines])}")
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
        for machine in machines:
            begun = time.monotonic()
            try:
                with cancelled_by_signals() as cancellation, shown() as emit:
                    settings = Settings(emit=emit, ask_passphrase=ask_passphrase, cancellation=cancellation)
                    driver = (any_driver_of if force else driver_of)(store, machine)
                    complete = remove(store, machine, driver, settings, force=force, keep_agent=keep_agent)
            except Cancelled:
                raise
            except PymachineError as error:  # the others are still removed
                error.located(machine=machine.name)
                if drop_in:
                    error.message = words.NOT_REMOVED.format(machine.name, error.message)
                exit_code = show_error(error)
                continue
            done = f"{machine.name} is removed, after {time.monotonic() - begun:.1f} s."
            click.echo(f"Successfully removed {machine.name}" if drop_in else done)
            exit_code = exit_code if complete or drop_in else 1
    return exit_code
