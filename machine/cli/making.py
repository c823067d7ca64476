"""What ``create`` shows while it makes machines, and what it says and does in the end."""

from __future__ import annotations

import dataclasses
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from machine.cli.failures import show_error
from machine.cli.progress import shown
from machine.compat import words
from machine.errors import Cancelled, PreCheckFailed, PymachineError
from machine.model import Machine
from machine.operations.createmany import Plan, create_many
from machine.operations.rollback import made_something, roll_back, rolled_back
from machine.program import DROP_IN, is_drop_in

if TYPE_CHECKING:
    from machine.operations.operation import Settings
    from machine.store.store import Store


def make(store: Store, plans: Sequence[Plan], settings: Settings, *, on_failure: str) -> int:
    """Make machines, and show it.

    Args:
        on_failure: of `machine.operations.rollback.ON_FAILURE`.

    Returns:
        The exit code: 0, or the worst of the errors'.

    Raises:
        PymachineError: where one machine was wanted: its error.
    """
    begun = time.monotonic()
    with shown(several=len(plans) > 1) as emit, words.pre_check():
        outcomes = create_many(store, plans, dataclasses.replace(settings, emit=emit))
        made = [outcome for _, outcome in outcomes if isinstance(outcome, Machine)]
        code = 0
        for plan, outcome in outcomes:
            if isinstance(outcome, PymachineError):
                _after(store, plan, outcome, settings, on_failure)
                if len(plans) == 1:
                    raise outcome
                code = max(code, show_error(outcome))
    for machine in made:
        _say_ready(machine, time.monotonic() - begun)
    if made and not is_drop_in():
        click.echo(f'To use it in this shell: eval "$(pymachine env {made[0].name})"')
    if len(plans) > 1 and code:
        click.echo(f"{len(made)} of {len(plans)} machines are ready.", err=True)
    return code


def _say_ready(machine: Machine, seconds: float) -> None:
    engine = f" with {machine.engine}" if machine.engine else ""
    click.echo(f"{machine.name} is ready at {machine.url}{engine}, after {seconds:.1f} s.")
    if is_drop_in():
        click.echo(words.UP)
        click.echo(words.HOW_TO_CONNECT.format(DROP_IN, machine.name))


def _after(store: Store, plan: Plan, error: PymachineError, settings: Settings, on_failure: str) -> None:
    """Take away what a failed create made, where that is wanted."""
    if isinstance(error, PreCheckFailed) or on_failure == "keep" or not made_something(store, plan.name):
        return
    if on_failure == "ask" and not _agreed(plan.name, error):
        return
    try:
        with shown() as emit:
            roll_back(store, plan, dataclasses.replace(settings, emit=emit))
    except Cancelled:
        raise
    except PymachineError as left:
        show_error(left)
        return
    rolled_back(error)
    click.echo(f"What was made for {plan.name} is removed.", err=True)


def _agreed(name: str, error: PymachineError) -> bool:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return False
    click.echo(f"{name}: {error}", err=True)
    return click.confirm("Remove what was made for it?", default=False)
