"""``pymachine regenerate-certs``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from machine.cli.selecting import selector_options
from machine.errors import UsageError

if TYPE_CHECKING:
    from machine.api.choosing import Selector

_QUESTION = "Regenerate TLS machine certs?  Warning: this is irreversible. (y/n): "


@click.command()
@click.argument("names", nargs=-1)
@selector_options
@click.option("-f", "--force", is_flag=True, help="Do not ask.")
@click.option("--client-certs", is_flag=True, help="Make new client certificates, too.")
@click.pass_obj
def command(directory: str, selector: Selector, force: bool, client_certs: bool) -> int:
    """Give machines new TLS certificates; neither the engine nor the agent is restarted."""
    from machine.cli.context import opened_client
    from machine.cli.selecting import selected
    from machine.cli.several import run_on

    if not force:
        with opened_client(directory) as client:  # no question about a machine that is not there
            selected(client, selector)
        click.echo(_QUESTION, nl=False)
        answer = sys.stdin.readline().strip().lower()
        if not answer:
            click.echo()
            raise UsageError("nobody answered, and nothing was changed", hint="to be asked nothing: -f")
        if not answer.startswith("y"):
            return 0
    click.echo("Regenerating TLS certificates")
    return run_on(
        directory,
        selector,
        "regenerate-certs",
        lambda client, machine: client.regenerate_certs(machine, client_certs=client_certs),
        lambda machine: f"{machine.name} has new certificates.",
    )
