"""``pymachine version``."""

from __future__ import annotations

import click

from machine.errors import UsageError
from machine.program import DROP_IN, NAME, is_drop_in
from machine.version import VERSION


def version_line() -> str:
    """What is said under the name that was called."""
    if not is_drop_in():
        return f"{NAME} version {VERSION}"
    # Its last release, whose behaviour this is, and that release's commit; ours after a plus, which by the rules of
    # version numbers makes it neither older nor newer.
    return f"{DROP_IN} version 0.16.2+pymachine.{VERSION}, build b170508b"


@click.command()
@click.argument("names", metavar="[NAME]", nargs=-1)
@click.pass_obj
def command(directory: str, names: tuple[str, ...]) -> None:
    """Print the version of pymachine or, with a name, of that machine's engine."""
    if not names:
        click.echo(version_line())
        return
    if len(names) > 1:
        raise UsageError("Expected one machine name as an argument", hint="of several: pymachine ls")
    (name,) = names
    from machine.cli.context import opened_client

    with opened_client(directory) as client:
        click.echo(client.version(name))
