"""``pymachine active``, where the hot path found none."""

from __future__ import annotations

import os

import click

from machine.errors import UsageError


@click.command()
@click.pass_obj
def command(directory: str) -> None:
    """Print the name of the machine that DOCKER_HOST points at."""
    from machine.cli.context import opened_store

    host = os.environ.get("DOCKER_HOST")
    with opened_store(directory) as store:
        names = [each.name for each in store.machines.all() if each.endpoint and each.endpoint.url == host]
    if not names:
        raise UsageError(
            "No active host found",
            cause=f"DOCKER_HOST is {host}, no machine's endpoint" if host else "DOCKER_HOST is not set",
            hint='eval "$(pymachine env NAME)"',
        )
    told = os.environ.get("DOCKER_MACHINE_NAME")
    click.echo(told if told in names else names[0])
