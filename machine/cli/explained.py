"""What a machine would be and what is missing for it, on screen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from machine.api.client import Client
    from machine.api.making import Explanation, Plan
    from machine.driver import Missing

_WIDEST = 20  # of a label


def show_plans(client: Client, plans: Sequence[Plan]) -> int:
    """Print what a create would make, the first of several, and make nothing.

    Returns:
        The exit code, as `show`.

    Raises:
        PymachineError: nothing can be said of it.
    """
    first, *others = plans
    click.echo(f"{first.name}: {first.driver.summary} ({first.driver.name})")
    code = show(client.explain(first))
    if others:
        click.echo(f"The same for {', '.join(each.name for each in others)}.")
    click.echo("Nothing was made.")
    return code


def show(explanation: Explanation) -> int:
    """Print an explanation; what stands in the way goes to stderr, as every error does.

    Returns:
        The exit code: 0, or 3 where something is missing.
    """
    from machine.cli.failures import show_error

    facts = explanation.facts
    width = min(max((len(label) for label, _ in facts), default=0), _WIDEST) + 2
    before = ""
    for label, value in facts:
        click.echo(f"  {label if label != before else '':<{width}}{value}")
        before = label
    missing = [each for each in explanation.missing if not each.doubt]
    if missing:
        click.echo("Missing permissions:", err=True)
        for each in missing:
            click.echo(f"  {each.permission} (for {each.needed_for})", err=True)
    _show_doubts([each for each in explanation.missing if each.doubt])
    if explanation.refused is not None:
        show_error(explanation.refused)
    return 0 if explanation.possible else 3


def _show_doubts(doubts: Sequence[Missing]) -> None:
    if not doubts:
        return
    click.echo("Not found out, whether these permissions are there:")
    for each in doubts:
        click.echo(f"  {each.permission} (for {each.needed_for}): {each.doubt}")
