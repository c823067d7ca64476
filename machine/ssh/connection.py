"""A verified SSH connection: first the host's key, then ours, then as many channels as the operation needs."""

from __future__ import annotations

import itertools
import logging
import socket
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import paramiko

from machine.deadline import Deadline
from machine.errors import HostKeyRejected, HostUnreachable, LoginRefused
from machine.ssh.channel import CommandChannel
from machine.ssh.credentials import Credentials
from machine.ssh.hostkeys import HostKeyPolicy, Verdict, judge, preferred_types
from machine.ssh.proxycommand import ProxyCommand
from machine.ssh.socket import PromptSocket
from machine.ssh.socket import connect as connect_tcp
from machine.ssh.watchdog import closing_after

_log = logging.getLogger(__name__)
_KEEPALIVE_SECONDS = 15
_HANDSHAKE_SECONDS = 30.0
_GOOD_BYE_SECONDS = 1.0
_IDLE_SECONDS = 1.0  # of a reader whose host says nothing
_LOOK_UP_SECONDS = 0.5  # how often a silent wait looks at its deadline and at a cancellation
_TYPES = (
    ("ssh-ed25519",),
    ("ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521"),
    ("ssh-rsa",),
)
# One pass that both encrypts and authenticates; as OpenSSH orders them, and a quarter of the time of paramiko's first.
_CIPHERS_FIRST = ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com")
# A host still booting refuses, is silent, or closes before its banner.
_BOOTING = ("route", "port", "protocol")

# Opens the byte stream below SSH: a TCP connection, a channel through a bastion, a proxy command.
OpenStream = Callable[[Deadline], Any]


@dataclass(frozen=True, slots=True)
class Completed:
    """A command that ended."""

    exit_status: int
    stdout: bytes
    stderr: bytes


class Connection:
    """One authenticated connection to one host. Close it, or use it as a context manager."""

    def __init__(
        self,
        transport: paramiko.Transport,
        verdict: Verdict,
        *,
        host: str,
        port: int,
        user: str,
        bastion: Connection | None = None,
    ) -> None:
        self._transport = transport
        self._bastion = bastion
        self.verdict = verdict
        self.host, self.port, self.user = host, port, user  # as the configuration resolved them

    def open(self, command: str, deadline: Deadline) -> CommandChannel:
        """Start a command on a channel of its own."""
        _log.debug("on %s: %s", self.host, command)
        try:
            channel = self._transport.open_session(timeout=deadline.remaining(_HANDSHAKE_SECONDS))
            # Paramiko waits for ever for the answer to some requests; closing the channel ends that wait.
            with closing_after(channel, deadline.remaining(_HANDSHAKE_SECONDS)):
                channel.exec_command(command)
        except (paramiko.SSHException, OSError, EOFError) as error:
            raise HostUnreachable("the SSH connection was lost", layer="connection", cause=str(error)) from error
        return CommandChannel(channel, deadline)

    def run(self, command: str, deadline: Deadline, stdin: bytes = b"") -> Completed:
        """Run a command to its end and collect what it printed."""
        with self.open(command, deadline) as channel:
            stdout = channel.exchange(stdin)
            return Completed(channel.exit_status(), stdout, channel.stderr())

    def stream_to(self, host: str, port: int, deadline: Deadline) -> paramiko.Channel:
        """A TCP connection that starts on the host; raises ``HostUnreachable``."""
        try:
            return self._transport.open_channel(
                "direct-tcpip", (host, port), ("127.0.0.1", 0), timeout=deadline.remaining(_HANDSHAKE_SECONDS)
            )
        except (paramiko.SSHException, OSError, EOFError) as error:
            raise HostUnreachable(
                f"{host}:{port} cannot be reached from the bastion", layer="route", cause=str(error)
            ) from error

    @property
    def alive(self) -> bool:
        """Whether the connection is there; a host that vanished is noticed by the keep-alive."""
        return self._transport.is_active()

    def close(self) -> None:
        """End the connection, and that to the bastion below it."""
        _end(self._transport)
        if self._bastion is not None:
            # Its reader says good-bye through the bastion, and shows a traceback when that is gone before.
            self._transport.join(_GOOD_BYE_SECONDS)
            self._bastion.close()

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def connect(
    host: str,
    port: int,
    user: str,
    *,
    policy: HostKeyPolicy,
    credentials: Credentials,
    deadline: Deadline,
    patient: bool = False,
    open_stream: OpenStream | None = None,
    bastion: Connection | None = None,
    on_retry: Callable[[Exception], None] | None = None,
) -> Connection:
    """Open, verify and log in.

    Args:
        patient: the host may still be booting: refused and silent connections are tried again until the deadline.
        open_stream: how to reach the host; by default TCP.

    Raises:
        HostUnreachable, HostKeyRejected, LoginRefused: each says how far it came.
    """
    paramikos = logging.getLogger("paramiko")
    if paramikos.level != logging.CRITICAL:  # setting it has all loggers think anew
        paramikos.setLevel(logging.CRITICAL)  # it logs tracebacks of errors that are raised as well
    reach = open_stream or (lambda within: connect_tcp(host, port, within))

    def attempt(types: Sequence[str]) -> Connection:
        transport = _handshake(host, port, reach(deadline), types, deadline)
        try:
            verdict = judge(transport.get_remote_server_key(), host, policy)
            _log_in(transport, host, user, credentials, deadline)
        except BaseException:
            transport.close()
            raise
        transport.set_keepalive(_KEEPALIVE_SECONDS)
        _log.debug("logged in to %s:%s as %s, host key %s (%s)", host, port, user, verdict.fingerprint, verdict.source)
        return Connection(transport, verdict, host=host, port=port, user=user, bastion=bastion)

    def retryable(error: Exception) -> bool:
        return patient and isinstance(error, HostUnreachable) and error.layer in _BOOTING

    def attempt_known_types() -> Connection:
        if policy.fingerprint is not None and not policy.pinned:
            return _attempt_each_type(attempt)
        # The known types first, then the others: a host that now has another type only has changed, and is told so.
        return attempt([*preferred_types(policy), *itertools.chain(*_TYPES)])

    return deadline.retry(attempt_known_types, retryable=retryable, first=0.02, longest=1.0, on_retry=on_retry)


def _attempt_each_type(attempt: Callable[[Sequence[str]], Connection]) -> Connection:
    """The operator vouched for one key and did not say of which type; a host presents one type at a time."""
    rejected: HostKeyRejected | None = None
    unreached: HostUnreachable | None = None
    for types in _TYPES:
        try:
            return attempt(types)
        except HostKeyRejected as error:
            rejected = rejected or error
        except HostUnreachable as error:
            if error.layer != "protocol":
                raise
            unreached = unreached or error
    failure = rejected or unreached
    assert failure is not None  # noqa: S101 - each attempt left one
    raise failure


def _handshake(host: str, port: int, sock: Any, types: Sequence[str], deadline: Deadline) -> paramiko.Transport:
    """Agree on keys with what answers; ``types`` are the host keys it may present, the best first."""
    within = Deadline(deadline.remaining(_HANDSHAKE_SECONDS), cancellation=deadline.cancellation)
    transport = paramiko.Transport(sock)
    if isinstance(sock, PromptSocket):
        # Its reader would look ten times a second whether it was closed, of each of many hosts; `_end` wakes it.
        sock.settimeout(_IDLE_SECONDS)
    try:
        options = transport.get_security_options()
        # A key line names its type, RSA signatures have names of their own (RFC 8332).
        wanted = dict.fromkeys(name for each in types for name in _signatures(each) if name in options.key_types)
        options.key_types = tuple(wanted)
        options.ciphers = tuple(sorted(options.ciphers, key=lambda each: each not in _CIPHERS_FIRST))
        transport.banner_timeout = within.remaining()
        done = threading.Event()
        transport.start_client(event=done)
        while not done.wait(within.remaining(_LOOK_UP_SECONDS)):
            within.cancellation.check()
            if within.passed:
                raise paramiko.SSHException(f"no answer in {within.seconds:.1f} s")
        if not transport.is_active():
            raise transport.get_exception() or paramiko.SSHException("it ended the connection")
        return transport
    except BaseException as error:
        _end(transport)
        sock.close()
        if not isinstance(error, (paramiko.SSHException, OSError, EOFError)):
            raise
        said = sock.said() if isinstance(sock, ProxyCommand) else ""
        raise HostUnreachable(
            f"what answers on {host}:{port} does not complete an SSH handshake",
            layer="protocol",
            cause=said or str(error) or "it ended the connection",
            hint=f"try: ssh -v -p {port} {host}",
        ) from error


def _end(transport: paramiko.Transport) -> None:
    """Close it: its reader looks at "closed" now and then; the end of its stream it sees at once."""
    try:
        transport.sock.shutdown(socket.SHUT_RDWR)
    except (OSError, AttributeError):
        pass  # closed already, or a proxy command, which has no such call
    transport.close()


def _log_in(transport: paramiko.Transport, host: str, user: str, credentials: Credentials, deadline: Deadline) -> None:
    failure = "no key could be offered"
    for key in credentials.offered():
        deadline.check("the login")
        transport.auth_timeout = deadline.remaining(_HANDSHAKE_SECONDS)
        try:
            missing = transport.auth_publickey(user, key)
        except paramiko.BadAuthenticationType as error:
            failure = f"the host allows only: {', '.join(error.allowed_types)}"
            break
        except (paramiko.AuthenticationException, ValueError) as error:
            deadline.check("the login")
            failure = str(error) or "refused"
            if not transport.is_active():
                failure = "the host ended the connection; it may allow fewer keys than there are to try"
                break
            continue
        except (paramiko.SSHException, OSError, EOFError) as error:
            failure = f"the host ended the connection: {error or type(error).__name__}"
            break
        if missing:
            failure = f"the host also wants: {', '.join(missing)}"
            break
        return
    offered = "; ".join(credentials.tried) or "none found"
    raise LoginRefused(
        f'{host} does not let the user "{user}" in with the keys offered',
        cause=f"{failure}. Offered: {offered}",
        hint=f"check the user's name and its ~/.ssh/authorized_keys; try: ssh -v {user}@{host}",
    )


def _signatures(key_type: str) -> tuple[str, ...]:
    return ("rsa-sha2-512", "rsa-sha2-256") if key_type == "ssh-rsa" else (key_type,)
