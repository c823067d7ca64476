"""What the commands of a fleet share: the file read, the plan made, the plan shown."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from machine.fleet.changes import Plan
    from machine.fleet.model import Fleet

_MARKS = {"create": "+", "finish": "+", "update": "~", "replace": "±", "repair": "~", "remove": "-"}
_COLOURS = {"+": "green", "~": "yellow", "±": "red", "-": "red"}


def read_fleet(file: str, variables: Mapping[str, str]) -> Fleet:
    """The fleet of a file; what should be known of it is said on stderr."""
    from machine.fleet.document import load_fleet

    fleet = load_fleet(file, os.environ, variables)
    for line in fleet.warnings:
        click.echo(f"Warning: {line}", err=True)
    return fleet


def told_who(fleet: Fleet) -> Callable[[str], None]:
    """What is said while another apply is waited for."""

    def on_wait(holder: str) -> None:
        click.echo(f"Waiting for another apply of the fleet {fleet.name}: {holder}.", err=True)

    return on_wait


def show_plan(plan: Plan) -> None:
    """A plan for people: what would change, why, and how many."""
    for change in plan.pending:
        mark = _MARKS[str(change.action)]
        head = click.style(f"{mark} {change.machine}", fg=_COLOURS[mark])
        reasons = [*change.reasons] or [""]
        click.echo(f"{head}  {change.action} ({change.group}): {reasons[0]}")
        for reason in reasons[1:]:
            click.echo(f"      {reason}")
    for machine, why in plan.unknown.items():
        click.echo(f"Warning: {machine} could not be asked, and what is recorded of it counts: {why}", err=True)
    click.echo(summary(plan))


def summary(plan: Plan) -> str:
    """A plan in one line."""
    counts = plan.counts()
    idle = {change.machine for change in plan.changes} - {change.machine for change in plan.pending}
    unknown = len(idle.intersection(plan.unknown))
    unchanged = counts.pop("none", 0) - unknown
    said = ", ".join(f"{count} to {action}" for action, count in counts.items())
    asked = f", {unknown} could not be asked" if unknown else ""
    if not said:
        are = "machine is" if unchanged == 1 else "machines are"
        return f"{plan.fleet}: nothing to do, {unchanged} {are} as wanted{asked}."
    return f"{plan.fleet}: {said}" + (f"; {unchanged} as wanted" if unchanged else "") + f"{asked}."
