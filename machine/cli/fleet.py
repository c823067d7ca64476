"""``pymachine fleet``: the group of the commands for fleets; each is in a file ``fleet_NAME.py``."""

from __future__ import annotations

import click

from machine.cli.lazy import LazyGroup

COMMANDS = ("apply", "destroy", "diff", "graph", "import", "init", "plan", "schema", "status", "validate")


@click.group(cls=LazyGroup, names=COMMANDS, modules="machine.cli.fleet_")
def command() -> None:
    """Say in one file which machines there shall be.

    \b
      pymachine fleet init            write an example fleet.yaml
      pymachine fleet validate        see what is wrong with it
      pymachine fleet plan            see what would be made and changed, and why
      pymachine fleet apply           make it so
    """
