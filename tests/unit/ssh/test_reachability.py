"""How far a connection came, that no wait outlives its deadline, and that a booting host is waited for."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import paramiko
import pytest

from machine.deadline import Cancellation, Deadline
from machine.errors import Cancelled, DeadlineExceeded, HostUnreachable
from machine.ssh.hostkeys import HostKeyPolicy
from machine.ssh.proxycommand import ProxyCommand
from machine.ssh.socket import connect as connect_tcp
from machine.trust.sshkeys import fingerprint
from tests.unit.ssh.conftest import Connect, let_in
from tests.unit.ssh.sshd import Sshd, free_port, serving

ANYONE = HostKeyPolicy(accept_first=True)


@contextlib.contextmanager
def answering(*said: bytes, hang_up: bool = False) -> Iterator[int]:
    """A server that says one thing on each connection, and then nothing or good-bye; its port."""
    stop = threading.Event()
    kept: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.05)

        def serve() -> None:
            while not stop.is_set():
                try:
                    sock, _ = listener.accept()
                except TimeoutError:
                    continue
                for each in said:
                    sock.sendall(each)
                if hang_up:
                    sock.close()
                else:
                    kept.append(sock)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            stop.set()
            thread.join()
            for sock in kept:
                sock.close()


@contextlib.contextmanager
def deaf() -> Iterator[int]:
    """A port of a host that answers no packet: its backlog is full."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(3):
            sock = stack.enter_context(socket.socket())
            sock.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                sock.connect(listener.getsockname())
        yield listener.getsockname()[1]


@pytest.mark.parametrize("name", ["no-such-host.invalid", "no..such", f"{'a' * 70}.invalid", "kein..büro"])
def test_a_name_that_does_not_resolve_or_can_be_none_is_the_name_layer(log_in: Connect, name: str) -> None:
    with pytest.raises(HostUnreachable, match=f"{re.escape(name)} does not resolve") as raised:
        log_in(host=name)
    assert raised.value.layer == "name"
    assert raised.value.cause


def test_a_port_nobody_listens_on_is_the_port_layer(log_in: Connect) -> None:
    with pytest.raises(HostUnreachable, match="nothing listens on port") as raised:
        log_in(port=free_port())
    assert raised.value.layer == "port"


def test_a_host_that_does_not_answer_is_the_route_layer_and_ends_with_the_deadline(log_in: Connect) -> None:
    begun = time.monotonic()
    with deaf() as port, pytest.raises(HostUnreachable, match="does not answer on port") as raised:
        log_in(port=port, seconds=0.15)
    assert raised.value.layer == "route"
    assert "no answer" in str(raised.value.cause)
    assert time.monotonic() - begun < 3


@pytest.mark.parametrize(
    ("said", "hang_up"),
    [
        ((), True),
        ((), False),
        ((b"HTTP/1.1 400 Bad Request\r\n\r\n",), True),
        ((b"HTTP/1.1 400 Bad Request\r\n\r\n",), False),
        ((b"SSH-2.0-half\r\n",), True),
        ((b"SSH-2.0-half\r\n",), False),
        ((b"SSH-2.0-half\r\n", b"\0" * 64), False),
    ],
    ids=["closes", "silent", "garbage, closes", "garbage, silent", "banner, closes", "banner, silent", "broken"],
)
def test_what_does_not_speak_ssh_is_the_protocol_layer_and_ends_with_the_deadline(
    log_in: Connect, said: tuple[bytes, ...], hang_up: bool
) -> None:
    begun = time.monotonic()
    with answering(*said, hang_up=hang_up) as port, pytest.raises(HostUnreachable, match="SSH handshake") as raised:
        log_in(port=port, policy=ANYONE, seconds=0.15)
    assert raised.value.layer == "protocol"
    assert raised.value.cause
    assert f"ssh -v -p {port}" in str(raised.value.hint)
    assert time.monotonic() - begun < 3


def test_where_a_fingerprint_was_given_the_tries_for_each_type_share_the_deadline(log_in: Connect) -> None:
    begun = time.monotonic()
    policy = HostKeyPolicy(fingerprint=fingerprint("ssh-ed25519 AAAA"))
    with answering() as port, pytest.raises(HostUnreachable, match="SSH handshake"):
        log_in(port=port, policy=policy, seconds=0.15)
    assert time.monotonic() - begun < 3


def test_cancelling_ends_the_wait_for_a_silent_server(log_in: Connect) -> None:
    cancellation = Cancellation()
    with answering() as port:
        threading.Timer(0.1, cancellation.cancel).start()
        begun = time.monotonic()
        with pytest.raises(Cancelled):
            log_in(port=port, policy=ANYONE, deadline=Deadline(60, cancellation=cancellation))
    assert time.monotonic() - begun < 5


def test_a_patient_connection_waits_until_the_server_is_up(
    log_in: Connect, sshd: Sshd, key: Path, tmp_path: Path
) -> None:
    port, failures = free_port(), []
    booted = threading.Event()

    def boot(error: Exception) -> None:
        failures.append(error)
        booted.set()

    def connect() -> None:
        log_in(port=port, policy=ANYONE, patient=True, on_retry=boot)
        connected.set()

    connected = threading.Event()
    thread = threading.Thread(target=connect)
    thread.start()
    assert booted.wait(10)  # it has been refused once
    with serving(tmp_path / "late", port=port) as server:
        let_in(server, key)
        assert connected.wait(20)
        thread.join()
    assert all(isinstance(error, HostUnreachable) for error in failures)


def test_an_impatient_connection_fails_at_the_first_refusal(log_in: Connect) -> None:
    retried: list[Exception] = []
    with pytest.raises(HostUnreachable):
        log_in(port=free_port(), on_retry=retried.append)
    assert retried == []


def test_a_patient_connection_gives_up_at_its_deadline_with_the_last_reason(log_in: Connect) -> None:
    begun = time.monotonic()
    with pytest.raises(HostUnreachable) as raised:
        log_in(port=free_port(), patient=True, seconds=0.15)
    assert raised.value.layer == "port"
    assert time.monotonic() - begun < 3


class _Stalling(paramiko.ServerInterface):
    """A server that never decides about a key."""

    def __init__(self) -> None:
        self.over = threading.Event()

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        self.over.wait(30)
        return paramiko.AUTH_FAILED  # type: ignore[attr-defined, no-any-return]

    def get_allowed_auths(self, username: str) -> str:
        return "publickey"


def test_a_login_that_is_not_answered_ends_with_the_deadline(log_in: Connect, key: Path) -> None:
    server = _Stalling()
    host_key = paramiko.RSAKey.generate(2048)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        transports: list[paramiko.Transport] = []

        def serve() -> None:
            transport = paramiko.Transport(listener.accept()[0])
            transports.append(transport)
            transport.add_server_key(host_key)
            transport.start_server(event=threading.Event(), server=server)

        thread = threading.Thread(target=serve)
        thread.start()
        begun = time.monotonic()
        with pytest.raises(DeadlineExceeded, match="the login"):
            log_in(port=listener.getsockname()[1], policy=ANYONE, seconds=0.5)
        assert time.monotonic() - begun < 5
        server.over.set()
        thread.join()
        transports[0].close()
        transports[0].join(5)


def test_nothing_is_delayed_on_the_way_out(sshd: Sshd) -> None:
    with connect_tcp("127.0.0.1", sshd.port, Deadline(5)) as sock:
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1


def test_another_address_of_a_name_is_tried_when_the_first_refuses(sshd: Sshd, monkeypatch: pytest.MonkeyPatch) -> None:
    def two_addresses(host: str, port: int, **_rest: object) -> list[object]:
        return [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.2", port)),
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port)),
        ]

    monkeypatch.setattr(socket, "getaddrinfo", two_addresses)
    with connect_tcp("a-name", sshd.port, Deadline(5)) as sock:
        assert sock.getpeername()[0] == "127.0.0.1"


def test_a_proxy_command_that_ends_is_noticed_at_once_with_its_last_words(log_in: Connect) -> None:
    begun = time.monotonic()
    with pytest.raises(HostUnreachable) as raised:
        log_in(open_stream=lambda _deadline: ProxyCommand("sh -c 'echo no way there >&2; exit 3'"))
    assert (raised.value.layer, raised.value.cause) == ("protocol", "no way there")
    assert time.monotonic() - begun < 5


def test_closing_a_proxy_command_ends_it_and_what_it_waits_for() -> None:
    stream = ProxyCommand("sleep 60")
    process = stream._process
    stream.close()
    stream.close()
    assert process.poll() is not None
