"""``pymachine config``: flags for a docker client, to the letter as docker-machine prints them."""

from __future__ import annotations

import click

from machine.errors import UsageError


@click.command()
@click.argument("names", nargs=-1)
@click.option("--check", is_flag=True, help="Dial the endpoint first, and fail when it does not answer.")
@click.option("--swarm", is_flag=True, hidden=True)
@click.pass_obj
def command(directory: str, names: tuple[str, ...], check: bool, swarm: bool) -> None:
    """Print the flags that point a docker client at a machine: docker $(pymachine config NAME) ps."""
    from machine.cli.context import meant, opened_client
    from machine.cli.usable import dialled_endpoint, usable_endpoint
    from machine.compat import words
    from machine.program import is_drop_in

    if swarm:
        raise UsageError(words.NO_SWARM)

    with opened_client(directory) as client:
        machine = meant(client, names[0] if names else None)  # docker-machine ignores what follows; so do its users
        if check or is_drop_in():
            dialled_endpoint(client, machine, doing=words.CONNECTING)
        else:
            usable_endpoint(client, machine)
        told = client.config(machine)
    if told.ca:
        click.echo("--tlsverify")
    for flag, path in (("tlscacert", told.ca), ("tlscert", told.cert), ("tlskey", told.key)):
        if path:
            click.echo(f'--{flag}="{path}"')
    click.echo(f"-H={told.url}")
