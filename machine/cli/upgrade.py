"""``pymachine upgrade``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from machine.cli.selecting import selector_options

if TYPE_CHECKING:
    from machine.bootstrap.session import Upgraded
    from machine.driver import Driver
    from machine.model import Machine
    from machine.operations.operation import Settings
    from machine.operations.selection import Selector
    from machine.store.store import Store


@click.command()
@click.argument("names", nargs=-1)
@selector_options
@click.pass_obj
def command(directory: str, selector: Selector) -> int:
    """Upgrade the engines of machines by their own package managers; a stopped machine is started.

    Containers stop while their engine restarts, unless its live-restore is on.
    """
    from machine.cli.several import run_on
    from machine.operations.upgrade import upgrade

    said: dict[str, Upgraded] = {}

    def action(store: Store, machine: Machine, driver: Driver, settings: Settings) -> Machine:
        upgraded, said[machine.name] = upgrade(store, machine, driver, settings)
        return upgraded

    def line(machine: Machine) -> str:
        done = said[machine.name]
        if not done.changed:
            return f"{machine.name} has the newest engine of its package sources: {done.after}. Nothing to do."
        before, after = done.from_to
        return f"{machine.name} is upgraded from {before} to {after}."

    return run_on(directory, selector, "upgrade", action, line)
