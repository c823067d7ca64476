"""What OpenSSH's own programs are told of a machine: our key only, and no other host key than the pinned one."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from machine.errors import DriverError, NotRunning
from machine.model import Machine, State
from machine.operations.hostconnection import KNOWN_HOSTS, MACHINE_KEY


@dataclass(frozen=True, slots=True, kw_only=True)
class SshHost:
    """How ssh, scp and sshfs reach a machine's host."""

    machine: str
    host: str  # as ssh looks it up: it may be an alias of the operator's ssh configuration
    user: str | None
    port: int | None
    identity_file: str | None
    options: tuple[tuple[str, str], ...]  # the others, by ssh_config's names


def ssh_host(machine: Machine, files: str) -> SshHost:
    """How a machine's host is reached.

    Args:
        files: the machine's directory.

    Raises:
        DriverError: there never was a host to log in to.
        NotRunning: the host does not run.
    """
    if not machine.has_host:
        raise DriverError(
            f"the driver {machine.spec.driver} has no host to log in to",
            machine=machine.name,
            hint=f"only its endpoint is known: pymachine url {machine.name}",
        )
    if machine.instance is None or machine.state is State.STOPPED:
        raise NotRunning(f'Host "{machine.name}" is not running', machine=machine.name)
    access, known_hosts = machine.instance.access, os.path.join(files, KNOWN_HOSTS)
    # A machine taken over from docker-machine, which never looked at host keys: the first one is recorded there.
    pinned = access.host_keys or os.path.exists(known_hosts)  # one that was lost does not make the next key the first
    first_use = machine.spec.host_key_policy == "first-use" and not pinned
    key = os.path.join(files, MACHINE_KEY) if access.machine_key_installed else access.identity_file
    return SshHost(
        machine=machine.name,
        host=access.host,
        user=access.user,
        port=access.port,
        identity_file=os.path.join(files, key) if key else None,
        options=(
            ("UserKnownHostsFile", _quoted(known_hosts)),
            ("GlobalKnownHostsFile", "none"),
            ("StrictHostKeyChecking", "accept-new" if first_use else "yes"),
            ("HashKnownHosts", "no"),
            ("HostKeyAlias", machine.name),
            ("IdentitiesOnly", "yes" if key else "no"),
            ("LogLevel", "ERROR"),
        ),
    )


def ssh_config(hosts: Sequence[tuple[str, SshHost]], users: Sequence[str]) -> str:
    """A configuration file for programs that start ssh themselves.

    Args:
        hosts: each under the name by which the program calls it.
        users: the operator's own configuration files, which say the rest: bastions, say.
    """
    lines = []
    for name, host in hosts:
        settings = {
            "HostName": host.host if host.host != name else None,
            "User": host.user,
            "Port": host.port,
            "IdentityFile": _quoted(host.identity_file) if host.identity_file else None,
            **dict(host.options),
        }
        lines += [f"Host {name}", *(f"  {key} {value}" for key, value in settings.items() if value is not None)]
    return "\n".join([*lines, "Match all", *(f"Include {_quoted(path)}" for path in users), ""])


def _quoted(path: str) -> str:
    return f'"{path}"' if " " in path else path
