"""``pymachine fleet import``: a fleet's file from machines that exist."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from machine.model import Machine
    from machine.store.store import Store


@click.command()
@click.argument("file", default="fleet.yaml", metavar="[FILE]")
@click.option("--name", metavar="FLEET", help="What the fleet is called. [default: as the file without .yaml]")
@click.option("--machine", "patterns", multiple=True, metavar="NAME",
              help="A machine, or a pattern: web-*; repeatable. [default: all that no fleet has]")  # fmt: skip
@click.option("--adopt", is_flag=True,
              help="Let the fleet have the machines: from then on an apply may change and remove them.")  # fmt: skip
@click.pass_obj
def command(directory: str, file: str, name: str | None, patterns: tuple[str, ...], adopt: bool) -> int:
    """Write a fleet's file that says what is there already.

    Machines of one driver whose names begin alike are a group. With --adopt, FILE may exist: then nothing is written,
    and the machines that have its names are the fleet's from now on. Nothing on the machines changes.
    """
    from machine.cli.context import cancelled_by_signals, opened_store
    from machine.cli.failures import show_error
    from machine.cli.fleetplan import read_fleet
    from machine.errors import PymachineError, UsageError
    from machine.fleet.adopt import adopt as adopt_machines
    from machine.operations.operation import Settings

    there = os.path.exists(file)
    if there and not adopt:
        raise UsageError(f"{file} exists, and nothing was written", hint="choose another name; or only --adopt by it")
    with opened_store(directory) as store, cancelled_by_signals() as cancellation:
        if not there:
            machines = _meant(store, patterns)
            _write(file, name or os.path.basename(file).partition(".")[0], machines)
            click.echo(f"{file} is written: {len(machines)} machine{'' if len(machines) == 1 else 's'}.")
        fleet = read_fleet(file, {})
        if not adopt:
            click.echo(f"To let the fleet have them: pymachine fleet import --adopt {file}")
            return 0
        code = 0
        for machine, outcome in adopt_machines(store, fleet, Settings(cancellation=cancellation)):
            if isinstance(outcome, PymachineError):
                code = max(code, show_error(outcome))
            else:
                click.echo(f"{machine.name} is of the fleet {fleet.name} now.")
        click.echo(f"To see what an apply would change: pymachine fleet plan {file}")
        return code


def _meant(store: Store, patterns: tuple[str, ...]) -> list[Machine]:
    from machine.errors import MachineNotFound
    from machine.operations.selection import Selector, select

    if patterns:
        return select(store, Selector(names=patterns))
    free = [machine for machine in store.machines.all() if not machine.spec.fleet]
    if not free:
        raise MachineNotFound("there is no machine that no fleet has", hint="see them all: pymachine ls -o wide")
    return free


def _write(file: str, name: str, machines: list[Machine]) -> None:
    from machine.errors import UsageError
    from machine.fleet.importing import as_yaml, fleet_document
    from machine.operations.absent import driver_or_stand_in

    text = as_yaml(fleet_document(name, machines, driver_or_stand_in))
    try:
        with open(file, "x", encoding="utf-8") as opened:
            opened.write(text)
    except OSError as error:
        raise UsageError(f"{file} cannot be written", cause=error.strerror) from error
