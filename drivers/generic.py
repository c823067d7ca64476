"""Driver ``generic``: any host over SSH. It makes nothing and removes nothing; the host is all there is.

Never renames the host, never upgrades its packages, never touches what pymachine did not make.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from machine.driver import Capabilities, HostIdentity, Recorder, option
from machine.drivers.given import Given
from machine.errors import UsageError
from machine.model import Access, Instance, Spec
from machine.trust.sshkeys import check_fingerprint


def _port(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or not 0 < int(text) < 65536:
        raise ValueError(f"{text!r} is not a port number (1 to 65535)")
    return int(text)


def _host(text: str) -> str:
    host = text.strip()
    if not host or any(char.isspace() or not char.isprintable() for char in host) or host.startswith("-"):
        raise ValueError(f"{text!r} is neither a host name nor an IP address")
    if "@" in host:
        raise ValueError(f"give the user on its own: --generic-ssh-user {host.partition('@')[0]}")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    name, colon, port = host.rpartition(":")
    if colon and port.isdigit() and (":" not in name or name.endswith("]")):
        raise ValueError(f"give the port on its own: --generic-ssh-port {port}")
    return host


def _file(text: str) -> str:
    """Absolute: the same file also when a create goes on from another directory."""
    return os.path.abspath(os.path.expanduser(text))


@dataclass(frozen=True, slots=True, kw_only=True)
class GenericOptions:
    """What must be known of a host that exists already."""

    ip_address: str = option(
        help="The host's address, name, or alias in your ssh configuration.",
        env=("GENERIC_IP_ADDRESS",),
        required=True,
        metavar="HOST",
        parse=_host,
    )
    ssh_user: str | None = option(
        help="The user to log in as; root, or one who may use sudo without a password. [default: as ssh, else root]",
        env=("GENERIC_SSH_USER",),
        metavar="USER",
    )
    ssh_key: str | None = option(
        help="The private key for the first login. [default: as ssh: agent, configuration, ~/.ssh]",
        env=("GENERIC_SSH_KEY",),
        metavar="FILE",
        parse=_file,
    )
    ssh_port: int | None = option(
        help="The port of the SSH server. [default: as ssh, else 22]",
        env=("GENERIC_SSH_PORT",),
        metavar="PORT",
        parse=_port,
    )
    engine_port: int = option(
        help="The port of the TLS endpoint on the host.",
        default=2376,
        env=("GENERIC_ENGINE_PORT",),
        metavar="PORT",
        parse=_port,
    )
    host_key: str | None = option(
        help="The host key you vouch for, as SHA256:…; nothing else is accepted at the first contact.",
        env=("GENERIC_HOST_KEY",),
        metavar="SHA256:…",
        parse=check_fingerprint,
    )


class GenericDriver(Given):
    """Adopts a host that exists."""

    name: ClassVar[str] = "generic"
    summary: ClassVar[str] = "any host over SSH that exists already"
    capabilities: ClassVar[Capabilities] = Capabilities(
        creates=False,
        observes=False,
        restarts_itself=True,
        access=("ssh_user", "ssh_key", "ssh_port", "host_key", "engine_port"),
    )
    Options: ClassVar[type] = GenericOptions

    def check(self, spec: Spec, options: GenericOptions, identity: HostIdentity) -> dict[str, Any]:
        """The key file; more cannot be known without talking to the host, and that is SSH's part."""
        _require_key(options)
        return {
            "host": options.ip_address,
            "port": options.ssh_port,
            "user": options.ssh_user,
            "identity_file": options.ssh_key,
            "host_key": options.host_key,
            "engine_port": options.engine_port,
        }

    def create(self, request: Mapping[str, Any], token: str, record: Recorder) -> Instance:
        """The host as it was given."""
        record.resource("host", request["host"])
        return Instance(
            driver=self.name,
            id=request["host"],
            access=Access(
                host=request["host"],
                port=request["port"],
                user=request["user"],
                machine_key_installed=False,
                identity_file=request["identity_file"],
                host_key_fingerprint=request["host_key"],
            ),
            data={"engine_port": request["engine_port"]},
        )

    def access(self, instance: Instance, options: GenericOptions, changed: Sequence[str]) -> Instance:
        """The same host under another user, port or key, or its endpoint at another port."""
        _require_key(options)
        names = {
            "ssh_user": "user",
            "ssh_key": "identity_file",
            "ssh_port": "port",
            "host_key": "host_key_fingerprint",
        }
        ways = {names[name]: getattr(options, name) for name in changed if name in names}
        data = {**instance.data, "engine_port": options.engine_port} if "engine_port" in changed else instance.data
        return dataclasses.replace(instance, access=dataclasses.replace(instance.access, **ways), data=data)

    def refusal(self, verb: str) -> str:
        """There is no provider."""
        return f"the driver generic cannot {verb} a host"


def _require_key(options: GenericOptions) -> None:
    if options.ssh_key is not None and not os.path.isfile(options.ssh_key):
        raise UsageError(f"--generic-ssh-key: there is no file {options.ssh_key}")
