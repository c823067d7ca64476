"""Hijacked connections: attach, exec and BuildKit's session, as a raw stream with two ends of its own."""

from __future__ import annotations

import os
import socket
import ssl
import threading

import pytest
from agent_process import Agent, until
from fake_engine import EngineConnection, FakeEngine

ATTACH = b"POST /v1.41/containers/x/attach?stream=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n"
UPGRADE = ATTACH + b"Connection: Upgrade\r\nUpgrade: tcp\r\n\r\n"
RAW_TYPE = b"Content-Type: application/vnd.docker.raw-stream\r\n"
SWITCHED = b"HTTP/1.1 101 UPGRADED\r\n" + RAW_TYPE + b"Connection: Upgrade\r\nUpgrade: tcp\r\n\r\n"
RAW = b"HTTP/1.1 200 OK\r\n" + RAW_TYPE + b"\r\n"
PATH = "/v1.41/containers/x/attach"


def half_close(client: ssl.SSLSocket) -> None:
    """Say close_notify and go on reading, as Go's tls.Conn.CloseWrite does; Python waits for the other side's."""
    client.settimeout(0)
    try:
        client.unwrap()
    except (BlockingIOError, ssl.SSLWantReadError):
        pass
    client.settimeout(10)


class HalfClosing:
    """A client whose TLS is worked by hand, because Python's socket cannot read after it said close_notify."""

    def __init__(self, agent: Agent) -> None:
        self.sock = agent.connect_tcp()
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = agent.context(agent.authority.client()).wrap_bio(self._in, self._out)
        self._pump(self._tls.do_handshake)

    def _pump(self, action):
        while True:
            try:
                result = action()
                self.sock.sendall(self._out.read())
                return result
            except ssl.SSLWantReadError:
                self.sock.sendall(self._out.read())
                data = self.sock.recv(65536)
                if not data:
                    raise ConnectionError("closed without close_notify") from None
                self._in.write(data)

    def send(self, data: bytes) -> None:
        self._pump(lambda: self._tls.write(data))

    def recv(self, count: int = 65536) -> bytes:
        try:
            return self._pump(lambda: self._tls.read(count))
        except ssl.SSLZeroReturnError:
            return b""

    def read_head(self) -> bytes:
        data = b""
        while not data.endswith(b"\r\n\r\n"):
            data += self.recv(1)
        return data

    def read_all(self) -> bytes:
        pieces = []
        while piece := self.recv():
            pieces.append(piece)
        return b"".join(pieces)

    def end(self) -> None:
        """close_notify, and nothing more from us."""
        try:
            self._tls.unwrap()
        except ssl.SSLWantReadError:
            pass
        self.sock.sendall(self._out.read())


@pytest.mark.parametrize(
    ("request_bytes", "response"), [(UPGRADE, SWITCHED), (ATTACH + b"\r\n", RAW)], ids=["101", "200"]
)
def test_the_end_of_input_travels_and_the_output_comes_after_it(
    agent: Agent, engine: FakeEngine, request_bytes: bytes, response: bytes
) -> None:
    """`docker run -i … cat < file`: all output comes after all input ended."""

    def cat(connection: EngineConnection) -> None:
        connection.send(response)
        connection.send(b"got " + connection.read_all())

    engine.on(PATH, cat)
    client = HalfClosing(agent)
    client.send(request_bytes)
    assert client.read_head().startswith(response.split(b"\r\n")[0])
    data = os.urandom(700_000)
    for at in range(0, len(data), 100_000):
        client.send(data[at : at + 100_000])
    client.end()
    assert client.read_all() == b"got " + data


def test_the_end_of_output_travels_and_input_is_still_taken(agent: Agent, engine: FakeEngine) -> None:
    got: list[bytes] = []
    done = threading.Event()

    def handler(connection: EngineConnection) -> None:
        connection.send(SWITCHED + b"all I have")
        connection.sock.shutdown(socket.SHUT_WR)
        got.append(connection.read_all())
        done.set()

    engine.on(PATH, handler)
    client = HalfClosing(agent)
    client.send(UPGRADE)
    client.read_head()
    assert client.read_all() == b"all I have"
    for _ in range(50):
        client.send(b"x" * 10_000)
    client.end()
    assert done.wait(10)
    assert got == [b"x" * 500_000]


def test_what_comes_right_behind_the_request_and_the_101_is_not_lost(agent: Agent, engine: FakeEngine) -> None:
    def handler(connection: EngineConnection) -> None:
        connection.send(SWITCHED + b"early output;")
        connection.send(connection.read_all())

    engine.on(PATH, handler)
    client = HalfClosing(agent)
    client.send(UPGRADE + b"early input")
    client.end()
    assert client.read_head().startswith(b"HTTP/1.1 101 ")
    assert client.read_all() == b"early output;early input"


def test_the_head_of_a_hijacking_200_promises_no_framing(agent: Agent, engine: FakeEngine) -> None:
    engine.on(PATH, lambda connection: connection.send(RAW + b"raw"))
    client = HalfClosing(agent)
    client.send(ATTACH + b"\r\n")
    head = client.read_head().lower()
    assert b"transfer-encoding" not in head
    assert b"content-length" not in head
    assert client.read_all() == b"raw"


def test_a_200_elsewhere_is_no_tunnel(agent: Agent, engine: FakeEngine) -> None:
    engine.on("/v1.41/images/json", lambda connection: connection.send(RAW + b"raw"))
    client = HalfClosing(agent)
    client.send(b"GET /v1.41/images/json HTTP/1.1\r\nHost: x\r\n\r\n")
    assert b"transfer-encoding: chunked" in client.read_head().lower()


def test_an_upgrade_that_is_refused_leaves_the_connection_usable(agent: Agent, engine: FakeEngine) -> None:
    from fake_engine import answer

    engine.on(PATH, answer(b'{"message":"no such container"}', status=b"404 Not Found"))
    client = HalfClosing(agent)
    for _ in range(2):
        client.send(UPGRADE)
        assert client.read_head().startswith(b"HTTP/1.1 404 ")
        assert client.recv() == b'{"message":"no such container"}'


def test_a_client_that_is_killed_ends_the_tunnel(agent: Agent, engine: FakeEngine) -> None:
    def handler(connection: EngineConnection) -> None:
        connection.send(SWITCHED)
        connection.read_all()

    engine.on(PATH, handler)
    before = agent.descriptors()
    client = HalfClosing(agent)
    client.send(UPGRADE)
    client.read_head()
    client.sock.close()
    assert engine.wait_for().ended.wait(5)
    until(lambda: agent.descriptors() == before)


def test_an_engine_that_is_killed_ends_the_tunnel_even_when_the_client_is_silent(
    agent: Agent, engine: FakeEngine
) -> None:
    engine.on(PATH, lambda connection: connection.send(SWITCHED + b"last words"))
    before = agent.descriptors()
    client = HalfClosing(agent)
    client.send(UPGRADE)
    client.read_head()
    assert client.read_all() == b"last words"
    until(lambda: agent.descriptors() <= before + 1)  # the engine's side went at once; ours in the farewell
    client.sock.close()
    until(lambda: agent.descriptors() == before)


def test_a_slow_reader_holds_back_the_writer_and_loses_nothing(agent: Agent, engine: FakeEngine) -> None:
    data = os.urandom(1 << 20) * 40
    sent = threading.Event()

    def handler(connection: EngineConnection) -> None:
        connection.send(SWITCHED)
        connection.send(data)
        sent.set()

    engine.on(PATH, handler)
    client = HalfClosing(agent)
    client.send(UPGRADE)
    client.read_head()
    assert not sent.wait(0.3), "40 MB were taken although nobody read them"
    assert agent.memory() < 40e6
    assert client.read_all() == data


def test_a_slow_engine_holds_back_the_client(agent: Agent, engine: FakeEngine) -> None:
    data = os.urandom(1 << 20) * 40
    go = threading.Event()
    got: list[bytes] = []

    def handler(connection: EngineConnection) -> None:
        connection.send(SWITCHED)
        assert go.wait(10)
        got.append(connection.read_all())

    engine.on(PATH, handler)
    client = HalfClosing(agent)
    client.send(UPGRADE)
    client.read_head()

    def send() -> None:
        for at in range(0, len(data), 1 << 18):
            client.send(data[at : at + (1 << 18)])
        client.end()

    sender = threading.Thread(target=send)
    sender.start()
    sender.join(0.3)
    assert sender.is_alive(), "40 MB were taken although the engine read nothing"
    assert agent.memory() < 40e6
    go.set()
    sender.join(20)
    client.read_all()
    assert got == [data]
