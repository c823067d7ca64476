"""``pymachine config``: flags for a docker client, to the letter as docker-machine prints them."""

from __future__ import annotations

import click


@click.command()
@click.argument("name", required=False)
@click.pass_obj
def command(directory: str, name: str | None) -> None:
    """Print the flags that point a docker client at a machine: docker $(pymachine config NAME) ps."""
    from machine.cli.context import meant, opened_store
    from machine.cli.usable import usable_endpoint

    with opened_store(directory) as store:
        machine = meant(store, name)
        endpoint = usable_endpoint(machine)
        files = store.files(machine.name)
    secured = endpoint.route != "plain"
    if secured:
        click.echo("--tlsverify")
    for flag, file in (("tlscacert", "ca.pem"), ("tlscert", "cert.pem"), ("tlskey", "key.pem")) if secured else ():
        click.echo(f'--{flag}="{files.path(file)}"')
    click.echo(f"-H={endpoint.url}")
