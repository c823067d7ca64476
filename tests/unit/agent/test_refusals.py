"""Who is let in. Under TLS 1.3 a client sees its handshake succeed before the refusal arrives: the agent's own log
and the engine are asked, not the client."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl

import pki
import pytest
from agent_process import Agent, until
from cryptography.x509.oid import ExtendedKeyUsageOID as Usage
from fake_engine import FakeEngine, answer
from http_client import GET_INFO, Talk

OTHER = f"pymachine:{pki.STORE}/machine/other"
CA = pki.Authority()
WRONG = {
    "no certificate": (None, "no client certificate"),
    "another CA": (pki.Authority("other-ca").client(), "not valid here: "),
    "a CA of the same name": (pki.Authority("ca2").client(), "not valid here: "),
    "no extended key usage": (CA.client(usages=()), "no extended key usage clientAuth"),
    "any usage": (CA.client(usages=(Usage.ANY_EXTENDED_KEY_USAGE,)), "refused"),
    "a server's certificate": (CA.server("client"), "not valid here: unsuitable certificate purpose"),
    "another machine's server certificate": (CA.server("client", uris=(OTHER,)), "not valid here: unsuitable"),
    "expired": (CA.client(days=1, age=2), "not valid here: certificate has expired"),
    "not valid yet": (CA.client(age=-2), "not valid here: certificate is not yet valid"),
    "another machine": (CA.client(uris=(OTHER,)), "not for this machine"),
    "another store": (CA.client(uris=("pymachine:store-2/machine/web1",)), "not for this machine"),
    "all machines of another store": (CA.client(uris=("pymachine:store-2/machine/*",)), "not for this machine"),
    "a name that only begins right": (CA.client(uris=(pki.CLIENT_URIS[0] + "0",)), "not for this machine"),
    "a role alone": (CA.client(uris=(pki.CLIENT_URIS[1],)), "not for this machine"),
    "no name": (CA.client(uris=()), "names no machine"),
}


@pytest.fixture(scope="session")
def authority() -> pki.Authority:
    return CA


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["tls1.2", "tls1.3"])
@pytest.mark.parametrize("wrong", WRONG)
def test_it_is_refused_said_and_nothing_reaches_the_engine(
    agent: Agent, engine: FakeEngine, wrong: str, version: ssl.TLSVersion
) -> None:
    certificate, reason = WRONG[wrong]
    context = agent.context(certificate)
    context.minimum_version = context.maximum_version = version
    with contextlib.suppress(OSError), agent.wrap(context) as client:
        client.sendall(GET_INFO)
        assert client.recv(1000) == b""
    line = agent.log_line("refused")
    assert reason in line
    assert "127.0.0.1" in line
    assert engine.connections == []


@pytest.mark.parametrize("machine", [pki.MACHINE, "*"])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["tls1.2", "tls1.3"])
def test_the_right_one_is_let_in(agent: Agent, engine: FakeEngine, machine: str, version: ssl.TLSVersion) -> None:
    engine.on("/info", answer(b"x"))
    context = agent.context(CA.client(uris=(f"pymachine:{pki.STORE}/machine/{machine}",)))
    context.minimum_version = context.maximum_version = version
    with agent.wrap(context) as client:
        assert Talk(client).ask(GET_INFO).status == 200


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_old_versions_of_tls_are_refused(agent: Agent) -> None:
    context = agent.context(CA.client())
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises(OSError, match=r"version|protocol|reset"):
        agent.wrap(context)
    agent.log_line("older than 1.2")


@pytest.mark.parametrize(
    "garbage",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        b"SSH-2.0-x\r\n",
        bytes(1000),
        os.urandom(5000),
        b"\x16\x03\x01\xff\xff" + bytes(70000),
    ],
    ids=["http", "ssh", "zeros", "noise", "huge record"],
)
def test_garbage_ends_one_connection_and_no_other(agent: Agent, engine: FakeEngine, garbage: bytes) -> None:
    engine.on("/info", answer(b"x"))
    good = Talk(agent.connect())
    with contextlib.suppress(OSError), agent.connect_tcp() as sock:
        sock.sendall(garbage)
        sock.shutdown(socket.SHUT_WR)
        while sock.recv(1000):
            pass
    assert good.ask(GET_INFO).status == 200
    assert Talk(agent.connect()).ask(GET_INFO).status == 200


def test_a_log_line_holds_no_control_character(agent: Agent) -> None:
    uri = "pymachine:\x1b[31m\nred"
    with contextlib.suppress(OSError), agent.connect(CA.client(uris=(uri,))) as client:
        client.recv(1)
    assert agent.log_line("refused").rstrip("\n").isprintable()


def test_strangers_who_say_nothing_do_not_keep_others_out(agent: Agent, engine: FakeEngine) -> None:
    engine.on("/info", answer(b"x"))
    silent = [agent.connect_tcp() for _ in range(700)]
    assert Talk(agent.connect()).ask(GET_INFO).status == 200
    for sock in silent:
        sock.close()
    until(lambda: agent.descriptors() < 50)
