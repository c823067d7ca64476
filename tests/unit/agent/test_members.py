"""A host that two stores use: each one's clients under its own CA, and under no other's name."""

from __future__ import annotations

import contextlib
import json
import signal

import pki
import pytest
from agent_process import Agent
from fake_engine import FakeEngine, answer
from http_client import GET_INFO

MEMBER = pki.Authority("member-ca")
THEIRS = ("pymachine:store-2/machine/shared",)


@pytest.fixture
def joined(own_agent: Agent, own_engine: FakeEngine, authority: pki.Authority) -> Agent:
    """The agent after another store was let in."""
    members = [{"store": "store-2", "machine": "shared", "ca": MEMBER.pem.decode()}]
    state = {"owner": {"store": pki.STORE, "machine": pki.MACHINE}, "members": members}
    (own_agent.directory / "state.json").write_text(json.dumps(state))
    pki.write(own_agent.directory, ca=authority.pem + MEMBER.pem)
    own_agent.signal(signal.SIGHUP)
    own_agent.log_line("reloaded")
    return own_agent


def gets_through(agent: Agent, certificate: bytes, engine: FakeEngine) -> bool:
    engine.reset()
    engine.on("/info", answer(b"x"))
    with contextlib.suppress(OSError), agent.connect(certificate) as client:
        client.sendall(GET_INFO)
        client.recv(1000)
    return bool(engine.connections)


def test_clients_of_both_stores_are_let_in_under_their_own_names(
    joined: Agent, own_engine: FakeEngine, authority: pki.Authority
) -> None:
    assert gets_through(joined, authority.client(), own_engine)
    assert gets_through(joined, MEMBER.client(uris=THEIRS), own_engine)


@pytest.mark.parametrize(
    "forged", [pki.CLIENT_URIS, (f"pymachine:{pki.STORE}/machine/*",), ("pymachine:store-2/machine/web1",)]
)
def test_a_store_cannot_sign_for_another_s_machine(
    joined: Agent, own_engine: FakeEngine, forged: tuple[str, ...]
) -> None:
    assert not gets_through(joined, MEMBER.client(uris=forged), own_engine)
    assert "not for this machine (shared of store store-2)" in joined.log_line("refused")


def test_the_owner_cannot_sign_for_a_member_s_either(
    joined: Agent, own_engine: FakeEngine, authority: pki.Authority
) -> None:
    assert not gets_through(joined, authority.client(uris=THEIRS), own_engine)


def test_who_has_left_is_shut_out_by_a_reload(joined: Agent, own_engine: FakeEngine, authority: pki.Authority) -> None:
    (joined.directory / "state.json").write_text(json.dumps({"owner": {"store": pki.STORE, "machine": pki.MACHINE}}))
    pki.write(joined.directory, ca=authority.pem)
    joined.signal(signal.SIGHUP)
    joined.log_line("reloaded")
    assert not gets_through(joined, MEMBER.client(uris=THEIRS), own_engine)
    assert gets_through(joined, authority.client(), own_engine)
