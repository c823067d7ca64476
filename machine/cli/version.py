"""``pymachine version``."""

from __future__ import annotations

import click

from machine.errors import EndpointUnverified
from machine.version import VERSION


@click.command()
@click.argument("name", required=False)
@click.pass_obj
def command(directory: str, name: str | None) -> None:
    """Print the version of pymachine or, with a name, of that machine's engine."""
    if name is None:
        click.echo(f"pymachine version {VERSION}")
        return
    from machine.cli.context import opened_store
    from machine.driver import load_driver
    from machine.operations.observe import observe

    with opened_store(directory) as store:
        seen = observe(store, [store.machines.get(name)], load_driver)[0]
    if seen.engine is None:
        raise EndpointUnverified(f'the engine of "{name}" does not answer', layer="engine", cause=seen.trouble)
    click.echo(seen.engine)
