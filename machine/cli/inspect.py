"""``pymachine inspect``: everything that is recorded of a machine, and no secret."""

from __future__ import annotations

import json

import click


@click.command()
@click.argument("name", required=False)
@click.pass_obj
def command(directory: str, name: str | None) -> None:
    """Print what is recorded of a machine as JSON."""
    from machine.cli.context import meant, opened_store
    from machine.operations.inspection import inspection

    with opened_store(directory) as store:
        click.echo(json.dumps(inspection(store, meant(store, name)), indent=4))
