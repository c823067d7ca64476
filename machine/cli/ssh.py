"""``pymachine ssh``: the operator's own ssh, with the machine's key and its pinned host key."""

from __future__ import annotations

import os
import shutil

import click

from machine.errors import DriverError, NotRunning, PreCheckFailed
from machine.model import Machine, State
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
    """What ssh is told: our key only, and no other host key than the pinned one.

    Raises:
        DriverError: there never was a host to log in to.
        NotRunning: the host does not run.
    """
    if machine.endpoint is not None and machine.endpoint.given:
        raise DriverError(
            f"the driver {machine.spec.driver} has no host to log in to",
            machine=machine.name,
            hint=f"only its endpoint is known: pymachine url {machine.name}",
        )
    if machine.instance is None or machine.state is State.STOPPED:
        message = f'Host "{machine.name}" is not running'
        raise NotRunning(f"Cannot run SSH command: {message}" if is_drop_in() else message, machine=machine.name)
    access = machine.instance.access
    options = {
        "UserKnownHostsFile": _quoted(os.path.join(files, "known_hosts")),
        "GlobalKnownHostsFile": "none",
        "StrictHostKeyChecking": "yes",
        "HostKeyAlias": machine.name,
        "IdentitiesOnly": "yes",
        "LogLevel": "ERROR",
    }
    line = [part for key, value in options.items() for part in ("-o", f"{key}={value}")]
    if access.machine_key_installed:
        line += ["-i", os.path.join(files, "id_ed25519")]
    elif access.identity_file:
        line += ["-i", access.identity_file]
    if access.port is not None:
        line += ["-p", str(access.port)]
    user = f"{access.user}@" if access.user else ""
    return [*line, f"{user}{access.host}"]


def _quoted(path: str) -> str:
    return f'"{path}"' if " " in path else path
