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
    from machine.cli.context import opened_client

    if names:
        raise UsageError("Too many arguments given", hint="it takes none: pymachine active --help")
    with opened_client(directory) as client:
        found = client.active()
    if found is None:
        host = os.environ.get("DOCKER_HOST")
        raise UsageError(
            "No active host found",
            cause=f"DOCKER_HOST is {host}, no machine's endpoint" if host else "DOCKER_HOST is not set",
            hint='eval "$(pymachine env NAME)"',
        )
    click.echo(found.name)
