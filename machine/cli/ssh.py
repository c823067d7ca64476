"""``pymachine ssh``: the operator's own ssh, with the machine's key and its pinned host key."""

from __future__ import annotations

import os
import shutil

import click

from machine.errors import NotRunning, PreCheckFailed
from machine.model import Machine
from machine.operations.sshoptions import ssh_host
from machine.program import is_drop_in


@click.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.argument("name", required=False)
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
@click.pass_obj
def command(directory: str, name: str | None, arguments: tuple[str, ...]) -> None:
    """Log in to a machine's host, or run a command there; its exit code is passed on."""
    from machine.cli.context import meant, opened_store

    ssh = shutil.which("ssh")
    if ssh is None:
        raise PreCheckFailed("there is no ssh on the PATH", hint="install OpenSSH's client")
    with opened_store(directory) as store:
        machine = meant(store, name)
        line = ssh_arguments(machine, store.files(machine.name).directory)
    os.execv(ssh, ["ssh", *line, *arguments])  # noqa: S606 - replaces this process: no shell between


def ssh_arguments(machine: Machine, files: str) -> list[str]:
    """What ssh is told; raises as `ssh_host` does."""
    try:
        host = ssh_host(machine, files)
    except NotRunning as error:
        if is_drop_in():
            error.message = f"Cannot run SSH command: {error.message}"
        raise
    line = [part for key, value in host.options for part in ("-o", f"{key}={value}")]
    if host.identity_file:
        line += ["-i", host.identity_file]
    if host.port is not None:
        line += ["-p", str(host.port)]
    return [*line, f"{host.user}@{host.host}" if host.user else host.host]
