"""What ``create`` shows while it makes machines, and what it says and does in the end."""

from __future__ import annotations

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
from machine.program import DROP_IN, is_drop_in

if TYPE_CHECKING:
    from machine.api.client import Client
    from machine.api.making import Plan

ON_FAILURE = ("keep", "rollback", "ask")


def make(client: Client, plans: Sequence[Plan], *, on_failure: str) -> int:
    """Make machines, and show it.

    Args:
        on_failure: of `ON_FAILURE`.

    Returns:
        The exit code: 0, or the worst of the errors'.

    Raises:
        PymachineError: where one machine was wanted: its error.
    """
    begun = time.monotonic()
    with shown(several=len(plans) > 1) as emit, words.pre_check():
        outcomes = client.using(on_event=emit).make(plans)
        made = outcomes.results
        code = 0
        for plan, outcome in zip(plans, outcomes, strict=True):
            if outcome.error is not None:
                _after(client, plan, outcome.error, on_failure)
                if len(plans) == 1:
                    raise outcome.error
                code = max(code, show_error(outcome.error))
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


def _after(client: Client, plan: Plan, error: PymachineError, on_failure: str) -> None:
    """Take away what a failed create made, where that is wanted."""
    if isinstance(error, PreCheckFailed) or on_failure == "keep" or not client.half_made(plan.name):
        return
    if on_failure == "ask" and not _agreed(plan.name, error):
        return
    try:
        with shown() as emit:
            client.using(on_event=emit).roll_back(plan, error)
    except Cancelled:
        raise
    except PymachineError as left:
        show_error(left)
        return
    click.echo(f"What was made for {plan.name} is removed.", err=True)


def _agreed(name: str, error: PymachineError) -> bool:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        return False
    click.echo(f"{name}: {error}", err=True)
    from machine.cli.context import confirmed

    return confirmed("Remove what was made for it?", default=False)
