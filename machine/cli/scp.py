"""``pymachine scp``: the operator's own scp or rsync, between this computer and machines, or between two machines."""

from __future__ import annotations

import click

from machine.errors import UsageError


@click.command()
@click.argument("places", nargs=-1, metavar="[[USER@]MACHINE:]PATH [[USER@]MACHINE:]PATH")
@click.option("-r", "--recursive", is_flag=True, help="Copy directories with all that is in them.")
@click.option("-d", "--delta", is_flag=True, help="By rsync: send only what differs.")
@click.option("-q", "--quiet", is_flag=True, help="Show no progress.")
@click.pass_obj
def command(directory: str, places: tuple[str, ...], recursive: bool, delta: bool, quiet: bool) -> int:
    """Copy files to, from or between machines; exits as scp or rsync does.

    Each machine is reached with its own key, port and pinned host key. A path that names no machine, or localhost, is
    on this computer.
    """
    from machine.cli.context import opened_client

    if len(places) != 2:
        raise UsageError("Improper number of arguments", hint="pymachine scp FILE MACHINE:PATH")
    source, target = places
    with opened_client(directory) as client:
        return client.scp(source, target, recursive=recursive, delta=delta, quiet=quiet, on_terminal=True)
