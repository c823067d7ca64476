"""``pymachine kill``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from machine.cli.selecting import selector_options

if TYPE_CHECKING:
    from machine.api.choosing import Selector


@click.command()
@click.argument("names", nargs=-1)
@selector_options
@click.pass_obj
def command(directory: str, selector: Selector) -> int:
    """Stop machines at once, as a power cut would."""
    from machine.cli.several import run_on

    return run_on(
        directory,
        selector,
        "kill",
        lambda client, machine: client.kill(machine),
        lambda machine: f"{machine.name} is stopped.",
    )
