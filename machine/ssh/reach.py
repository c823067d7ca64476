"""From "this host" to a connection: the operator's ssh configuration, bastions, and which keys log in."""

from __future__ import annotations

from collections.abc import Callable

from machine.deadline import Deadline
from machine.errors import HostUnreachable
from machine.ssh.config import SSHConfig, resolve
from machine.ssh.connection import Connection, OpenStream, connect
from machine.ssh.credentials import AskPassphrase, Credentials, operator_credentials
from machine.ssh.hostkeys import HostKeyPolicy, known_hosts_name
from machine.ssh.proxycommand import ProxyCommand
from machine.ssh.turns import turn

_MOST_BASTIONS = 8  # a configuration whose jumps jump to themselves ends here


def reach(
    host: str,
    *,
    port: int | None,
    user: str | None,
    deadline: Deadline,
    machine_key: str | None = None,
    identity_file: str | None = None,
    pinned: tuple[str, ...] = (),
    fingerprint: str | None = None,
    accept_first: bool = False,
    through_config: bool = True,
    patient: bool = False,
    ask_passphrase: AskPassphrase,
    on_retry: Callable[[Exception], None] | None = None,
) -> Connection:
    """Connect to a host the way the operator's ssh would, with a verified host key.

    Args:
        machine_key: path of the machine's own key; None: the operator's keys log in.
        through_config: False for hosts on this very computer: no configuration applies to them.

    Raises:
        HostUnreachable, HostKeyRejected, LoginRefused, UsageError.
    """
    config = (
        resolve(host, port=port, user=user)
        if through_config
        else SSHConfig(hostname=host, port=port or 22, user=user or "root", known_hosts_files=())
    )
    credentials = (
        Credentials(machine_key=machine_key)
        if machine_key is not None
        else _operator(config, identity_file, ask_passphrase)
    )
    policy = HostKeyPolicy(
        pinned=pinned,
        fingerprint=fingerprint,
        known_hosts_files=config.known_hosts_files,
        known_hosts_name=config.host_key_alias or known_hosts_name(config.hostname, config.port),
        accept_first=accept_first,
    )
    bastion = _bastion(config, deadline, ask_passphrase, _MOST_BASTIONS)
    try:
        return connect(
            config.hostname,
            config.port,
            config.user,
            policy=policy,
            credentials=credentials,
            deadline=deadline,
            patient=patient,
            open_stream=_stream(config, bastion),
            bastion=bastion,
            on_retry=on_retry,
        )
    except BaseException:
        if bastion is not None:
            bastion.close()
        raise


def _operator(config: SSHConfig, identity_file: str | None, ask_passphrase: AskPassphrase) -> Credentials:
    return operator_credentials(
        config.identity_files,
        required=identity_file,
        identities_only=config.identities_only,
        agent=config.identity_agent,
        ask_passphrase=ask_passphrase,
    )


def _stream(config: SSHConfig, bastion: Connection | None) -> OpenStream | None:
    if bastion is not None:
        return lambda deadline: bastion.stream_to(config.hostname, config.port, deadline)
    if config.proxy_command is not None:
        command = config.expanded(config.proxy_command)
        return lambda _deadline: ProxyCommand(command)
    return None


def _bastion(config: SSHConfig, deadline: Deadline, ask: AskPassphrase, left: int) -> Connection | None:
    """The last of the hosts to jump through, each reached through the one before; their keys must be known."""
    if config.proxy_jump is None:
        return None
    if left == 0:
        raise HostUnreachable(
            f"more than {_MOST_BASTIONS} jumps to {config.hostname}",
            layer="config",
            hint="does a ProxyJump in your ssh configuration point at itself?",
        )
    connection: Connection | None = None
    try:
        for jump in config.proxy_jump.split(","):
            user, host, port = _split_jump(jump.strip())
            hop = resolve(host, port=port, user=user)
            # What was opened so far is closed with `connection` if the next one fails.
            connection = below = connection or _bastion(hop, deadline, ask, left - 1)
            policy = HostKeyPolicy(
                known_hosts_files=hop.known_hosts_files,
                known_hosts_name=hop.host_key_alias or known_hosts_name(hop.hostname, hop.port),
            )
            credentials = _operator(hop, None, ask)
            with turn(hop.hostname, hop.port, deadline):
                connection = connect(
                    hop.hostname,
                    hop.port,
                    hop.user,
                    policy=policy,
                    credentials=credentials,
                    deadline=deadline,
                    open_stream=_stream(hop, below),
                    bastion=below,
                )
    except BaseException:
        if connection is not None:
            connection.close()
        raise
    return connection


def _split_jump(text: str) -> tuple[str | None, str, int | None]:
    """``[user@]host[:port]``, IPv6 in brackets; also as ``ssh://``."""
    text = text.removeprefix("ssh://")
    user, at, rest = text.rpartition("@")
    host, _, port = rest.rpartition(":") if not rest.endswith("]") and rest.count(":") != 0 else (rest, "", "")
    if not port.isdigit():
        host, port = rest, ""
    return (user if at else None), host.strip("[]"), (int(port) if port else None)
