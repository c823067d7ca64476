"""``pymachine upgrade``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from machine.cli.selecting import selector_options

if TYPE_CHECKING:
    from machine.api.choosing import Selector
    from machine.api.client import Client
    from machine.bootstrap.session import Upgraded
    from machine.model import Machine


@click.command()
@click.argument("names", nargs=-1)
@selector_options
@click.pass_obj
def command(directory: str, selector: Selector) -> int:
    """Upgrade the engines of machines by their own package managers; a stopped machine is started.

    Containers stop while their engine restarts, unless its live-restore is on.
    """
    from machine.cli.several import run_on

    said: dict[str, Upgraded] = {}

    def action(client: Client, machine: Machine) -> None:
        said[machine.name] = client.upgrade(machine)

    def line(machine: Machine) -> str:
        done = said[machine.name]
        if not done.changed:
            return f"{machine.name} has the newest engine of its package sources: {done.after}. Nothing to do."
        before, after = done.from_to
        return f"{machine.name} is upgraded from {before} to {after}."

    return run_on(directory, selector, "upgrade", action, line)
