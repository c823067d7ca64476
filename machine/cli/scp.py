"""``pymachine scp``: the operator's own scp or rsync, between this computer and machines, or between two machines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from machine.cli.selecting import selector_options
from machine.errors import UsageError

if TYPE_CHECKING:
    from machine.api.choosing import Selector
    from machine.api.client import Client


@click.command()
@click.argument("names", nargs=-1, metavar="[[USER@]MACHINE:]PATH [[USER@]MACHINE:]PATH")
@selector_options
@click.option("-r", "--recursive", is_flag=True, help="Copy directories with all that is in them.")
@click.option("-d", "--delta", is_flag=True, help="By rsync: send only what differs.")
@click.option("-q", "--quiet", is_flag=True, help="Show no progress.")
@click.pass_obj
def command(directory: str, selector: Selector, recursive: bool, delta: bool, quiet: bool) -> int:
    """Copy files to, from or between machines; exits as scp or rsync does.

    Each machine is reached with its own key, port and pinned host key. A path that names no machine, or localhost, is
    on this computer.

    \b
      pymachine scp web1:/var/log/syslog .
      pymachine scp --group web nginx.conf :/etc/nginx/        to each of them
      pymachine scp --group web :/var/log/syslog logs          from each, to logs/MACHINE
    """
    from machine.cli.context import opened_client

    if len(selector.names) != 2:
        raise UsageError("Improper number of arguments", hint="pymachine scp FILE MACHINE:PATH")
    source, target = selector.names
    with opened_client(directory) as client:
        if selector.fleet or selector.group or selector.labels:
            return _each(client, source, target, selector, recursive=recursive, delta=delta)
        return client.scp(source, target, recursive=recursive, delta=delta, quiet=quiet, on_terminal=True)


def _each(client: Client, source: str, target: str, selector: Selector, *, recursive: bool, delta: bool) -> int:
    from machine.cli.failures import show_error

    code = 0
    outcomes = client.scp_all(
        source,
        target,
        fleet=selector.fleet,
        group=selector.group,
        labels=selector.labels,
        recursive=recursive,
        delta=delta,
    )
    for outcome in outcomes:
        if outcome.error is not None:
            code = max(code, show_error(outcome.error))
        else:
            click.echo(f"{outcome.machine}: copied")
    return code
