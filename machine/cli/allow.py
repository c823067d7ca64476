"""``pymachine allow``: who reaches a machine, said anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from machine.cli.selecting import selector_options

if TYPE_CHECKING:
    from machine.api.choosing import Selector


@click.command()
@click.argument("names", metavar="NAME...", nargs=-1)
@selector_options
@click.option(
    "--cidr",
    "networks",
    multiple=True,
    metavar="NETWORK",
    help="Whom to let in: 203.0.113.7, 203.0.113.0/24; repeatable. [default: the address this computer has now]",
)
@click.pass_obj
def command(directory: str, selector: Selector, networks: tuple[str, ...]) -> int:
    """Let this computer reach machines whose firewall is the provider's, after it has moved.

    Who was let in before still is.
    """
    from machine.cli.several import run_on

    return run_on(
        directory,
        selector,
        "allow",
        lambda client, machine: client.allow(machine, networks=networks),
        lambda machine: f"{machine.name} lets you in.",
    )
