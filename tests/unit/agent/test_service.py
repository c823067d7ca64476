"""The endpoint as a service: reload, stop, memory, rest."""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import socket
import ssl
import time
from pathlib import Path

import pki
import pytest
from agent_process import Agent, until
from fake_engine import EngineConnection, FakeEngine, answer
from http_client import GET_INFO, Talk
from test_tunnel import PATH, SWITCHED, UPGRADE, HalfClosing


def served(own_agent: Agent) -> bytes:
    """The certificate a new client is shown."""
    with own_agent.connect() as client:
        return client.getpeercert(True)


def echo(connection: EngineConnection) -> None:
    connection.send(SWITCHED)
    while data := connection.read_more():
        connection.send(data)


def test_a_reload_shows_new_clients_the_new_certificate_and_keeps_open_streams(
    own_agent: Agent, own_engine: FakeEngine
) -> None:
    own_engine.on(PATH, echo)
    stream = HalfClosing(own_agent)
    stream.send(UPGRADE)
    stream.read_head()
    before = served(own_agent)
    pki.write(own_agent.directory, cert=own_agent.authority.server())
    assert served(own_agent) == before
    own_agent.signal(signal.SIGHUP)
    own_agent.log_line("reloaded")
    assert served(own_agent) != before
    stream.send(b"still here")
    assert stream.recv() == b"still here"


def test_a_reload_with_another_ca_lets_in_its_clients_and_no_longer_the_old_ones(
    own_agent: Agent, own_engine: FakeEngine
) -> None:
    own_engine.on("/info", answer(b"x"))
    other = pki.Authority("new-ca")
    pki.write(own_agent.directory, cert=other.server(), ca=other.pem)
    old = own_agent.authority
    own_agent.signal(signal.SIGHUP)
    own_agent.log_line("reloaded")
    own_agent.authority = other
    assert Talk(own_agent.connect()).ask(GET_INFO).status == 200
    with contextlib.suppress(OSError), own_agent.connect(old.client()) as client:
        client.recv(1)
    assert "not valid here" in own_agent.log_line("refused")


def test_a_reload_of_something_unusable_goes_on_with_what_there_was(own_agent: Agent, own_engine: FakeEngine) -> None:
    own_engine.on("/info", answer(b"x"))
    (own_agent.directory / "cert.pem").write_text("nonsense")
    own_agent.signal(signal.SIGHUP)
    own_agent.log_line("going on with what we have")
    assert Talk(own_agent.connect()).ask(GET_INFO).status == 200


def test_a_stop_is_at_once_when_nobody_is_served(own_agent: Agent, own_engine: FakeEngine) -> None:
    own_engine.on("/info", answer(b"x"))
    idle = Talk(own_agent.connect())
    idle.ask(GET_INFO)
    started = time.monotonic()
    own_agent.signal(signal.SIGTERM)
    assert own_agent.process.wait(10) == 0
    assert time.monotonic() - started < 1


def test_a_stop_lets_an_open_stream_finish(own_agent: Agent, own_engine: FakeEngine) -> None:
    own_engine.on(PATH, echo)
    stream = HalfClosing(own_agent)
    stream.send(UPGRADE)
    stream.read_head()
    own_agent.signal(signal.SIGTERM)
    own_agent.log_line("stopping")
    until(lambda: refused(own_agent))
    stream.send(b"last")
    assert stream.recv() == b"last"
    stream.end()
    assert stream.read_all() == b""
    stream.sock.close()
    assert own_agent.process.wait(10) == 0


def test_systemd_is_told_when_it_is_ready_what_it_runs_and_that_it_lives(
    zipapp: Path, place: Path, authority: pki.Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(place / "notify"))
        manager.settimeout(10)
        monkeypatch.setenv("NOTIFY_SOCKET", str(place / "notify"))
        monkeypatch.setenv("WATCHDOG_USEC", "200000")
        agent = Agent(zipapp, place, authority)
        try:
            said = [manager.recv(1000).decode() for _ in range(4)]
        finally:
            agent.stop()
    assert said.count("WATCHDOG=1") >= 2
    ready = next(text for text in said if "READY=1" in text)
    digest = hashlib.sha256(zipapp.read_bytes()).hexdigest()
    assert f"STATUS=agent {digest[:16]} identity " in ready


def test_a_thousand_idle_clients_fit_into_60_megabytes_and_cost_nothing(
    own_agent: Agent, own_engine: FakeEngine
) -> None:
    own_engine.on("/info", answer(b"x"))
    assert own_agent.memory() < 30e6
    context = own_agent.context(own_agent.authority.client())
    clients = [own_agent.wrap(context) for _ in range(1000)]
    for client in clients[::50]:
        assert Talk(client).ask(GET_INFO).status == 200
    until(lambda: own_agent.descriptors() > 1000)
    assert own_agent.memory() < 60e6
    before = cpu_seconds(own_agent)
    time.sleep(1)  # the measured quantity is time itself
    assert cpu_seconds(own_agent) - before <= 0.01
    for client in clients:
        client.close()


def refused(own_agent: Agent) -> bool:
    try:
        own_agent.connect_tcp()
    except ConnectionRefusedError:
        return True
    return False


def cpu_seconds(own_agent: Agent) -> float:
    fields = Path(f"/proc/{own_agent.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def test_a_saturating_upload_does_not_starve_a_small_request(own_agent: Agent, own_engine: FakeEngine) -> None:
    own_engine.on("/info", answer(b"x"))

    def swallow(connection: EngineConnection) -> None:
        while connection.sock.recv(1 << 20):
            pass

    own_engine.on("/load", swallow)
    upload = own_agent.connect()
    upload.sendall(b"POST /load HTTP/1.1\r\nHost: x\r\nContent-Length: 100000000000\r\n\r\n")
    upload.settimeout(0)
    data = bytes(1 << 20)
    small = Talk(own_agent.connect())
    worst = 0.0
    for _ in range(40):
        for _ in range(4):
            with contextlib.suppress(BlockingIOError, ssl.SSLWantWriteError):
                upload.send(data)
        started = time.monotonic()
        assert small.ask(GET_INFO).status == 200
        worst = max(worst, time.monotonic() - started)
    assert worst < 0.25
