"""``pymachine active``, where the hot path found none."""

from __future__ import annotations

import os

import click

from machine.errors import UsageError


@click.command()
@click.argument("names", metavar="", nargs=-1)
@click.option(
    "-t", "--timeout", type=click.FloatRange(min=0), hidden=True, expose_value=False, help="Nobody is waited for."
)
@click.pass_obj
def command(directory: str, names: tuple[str, ...]) -> None:
    """Print the name of the machine that DOCKER_HOST points at."""
    from machine.cli.context import opened_store
    from machine.shell.listing import has_endpoint

    if names:
        raise UsageError("Too many arguments given", hint="it takes none: pymachine active --help")
    host = os.environ.get("DOCKER_HOST")
    with opened_store(directory) as store:
        there = [each for each in store.machines.all() if each.endpoint and has_endpoint(str(each.state))]
    found = [each.name for each in there if each.endpoint and each.endpoint.url == host]
    if not found:
        raise UsageError(
            "No active host found",
            cause=f"DOCKER_HOST is {host}, no machine's endpoint" if host else "DOCKER_HOST is not set",
            hint='eval "$(pymachine env NAME)"',
        )
    told = os.environ.get("DOCKER_MACHINE_NAME")
    click.echo(told if told in found else found[0])
