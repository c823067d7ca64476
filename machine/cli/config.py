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
    from machine.cli.context import meant, opened_store
    from machine.cli.usable import dialled_endpoint, usable_endpoint
    from machine.compat import words
    from machine.program import is_drop_in

    if swarm:
        raise UsageError(words.NO_SWARM)

    with opened_store(directory) as store:
        machine = meant(store, names[0] if names else None)  # docker-machine ignores what follows; so do its users
        dial = check or is_drop_in()
        endpoint = dialled_endpoint(store, machine, doing=words.CONNECTING) if dial else usable_endpoint(machine)
        files = store.files(machine.name)
    secured = endpoint.route != "plain"
    if secured:
        click.echo("--tlsverify")
    for flag, file in (("tlscacert", "ca.pem"), ("tlscert", "cert.pem"), ("tlskey", "key.pem")) if secured else ():
        click.echo(f'--{flag}="{files.path(file)}"')
    click.echo(f"-H={endpoint.url}")
