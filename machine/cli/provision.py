"""``pymachine provision``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from machine.cli.selecting import selector_options

if TYPE_CHECKING:
    from machine.api.choosing import Selector


@click.command()
@click.argument("names", nargs=-1)
@selector_options
@click.option(
    "-y", "--yes", is_flag=True, help="Do not ask before changing an engine's configuration and restarting it."
)
@click.option(
    "--take-port",
    is_flag=True,
    help="Where the engine has a TLS endpoint of its own at our port: let the engine leave it, and take it.",
)
@click.pass_obj
def command(directory: str, selector: Selector, yes: bool, take_port: bool) -> int:
    """Make hosts as wanted once more: agent, certificate, engine settings."""
    from machine.cli.several import run_on

    return run_on(
        directory,
        selector,
        "provision",
        lambda client, machine: client.provision(machine, take_port=take_port),
        lambda machine: f"{machine.name} is as wanted at {machine.url}.",
        yes=yes,
    )
