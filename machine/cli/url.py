"""``pymachine url``: the endpoint's URL that is recorded."""

from __future__ import annotations

import click


@click.command()
@click.argument("names", nargs=-1)
@click.pass_obj
def command(directory: str, names: tuple[str, ...]) -> None:
    """Print the URLs of machines' endpoints."""
    from machine.cli.context import meant, opened_client
    from machine.cli.usable import usable_endpoint
    from machine.errors import UsageError
    from machine.program import is_drop_in

    if len(names) > 1 and is_drop_in():
        raise UsageError("Expected one machine name as an argument")

    with opened_client(directory) as client:
        urls = [usable_endpoint(client, meant(client, name)).url for name in names or (None,)]
    click.echo("\n".join(urls))
