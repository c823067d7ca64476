"""``pymachine ssh``: the operator's own ssh, with the machine's key and its pinned host key."""

from __future__ import annotations

import os
import shutil

import click

from machine.errors import NotRunning, PreCheckFailed
from machine.program import is_drop_in


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.argument("name", required=False)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_obj
def command(directory: str, name: str | None, arguments: tuple[str, ...]) -> None:
    """Log in to a machine's host, or run a command there; its exit code is passed on."""
    from machine.cli.context import meant, opened_client

    ssh = shutil.which("ssh")
    if ssh is None:
        raise PreCheckFailed("there is no ssh on the PATH", hint="install OpenSSH's client")
    with opened_client(directory) as client:
        try:
            line = client.ssh_command(meant(client, name), arguments)
        except NotRunning as error:
            if is_drop_in():
                error.message = f"Cannot run SSH command: {error.message}"
            raise
    os.execv(ssh, line)  # noqa: S606 - replaces this process: no shell between
