"""``regenerate-certs``: the question to the letter, and which certificates are made anew."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from machine.model import State
from machine.operations import certificates
from machine.store.store import Store
from tests.conformance.conftest import Fleet, Program
from tests.unit.specs import add_machine

QUESTION = "Regenerate TLS machine certs?  Warning: this is irreversible. (y/n): "


@pytest.fixture
def renewed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The machines whose hosts were given a new certificate; the hosts themselves are not there."""
    names: list[str] = []
    monkeypatch.setattr(certificates, "bring_up", lambda op, *_, **__: names.append(op.machine))
    return names


@pytest.mark.parametrize(("answer", "code"), [("n\n", 0), ("no\n", 0), ("maybe\n", 0), ("", 1), ("\n", 1)], ids=repr)
def test_anything_but_yes_changes_nothing(
    program: Program, fleet: Fleet, renewed: list[str], answer: str, code: int
) -> None:
    fleet.add("web", driver="generic")
    said = program("regenerate-certs", "web", stdin=answer)
    assert (said.code, said.out.rstrip("\n")) == (code, QUESTION)
    assert renewed == []


@pytest.mark.parametrize("answer", ["y\n", "Y\n", "yes\n"])
def test_yes_is_done(program: Program, fleet: Fleet, renewed: list[str], answer: str) -> None:
    fleet.add("web", driver="generic")
    said = program("regenerate-certs", "web", stdin=answer)
    assert said.code == 0
    assert said.out.startswith(f"{QUESTION}Regenerating TLS certificates\n")
    assert renewed == ["web"]


@pytest.mark.parametrize("flag", ["-f", "--force"])
def test_force_asks_nothing_and_takes_several(program: Program, fleet: Fleet, renewed: list[str], flag: str) -> None:
    fleet.add("web", driver="generic")
    fleet.add("db", driver="generic")
    said = program("regenerate-certs", flag, "web", "db")
    assert said.code == 0
    assert QUESTION not in said.out
    assert sorted(renewed) == ["db", "web"]


def test_without_a_name_it_is_default(program: Program, fleet: Fleet, renewed: list[str]) -> None:
    assert program("regenerate-certs", "-f").code == 1
    fleet.add("default", driver="generic")
    assert program("regenerate-certs", "-f").code == 0
    assert renewed == ["default"]


def test_client_certificates_are_made_anew_only_when_asked_for(
    program: Program, fleet: Fleet, store: Store, renewed: list[str]
) -> None:
    fleet.add("web", driver="generic")
    files = store.files("web")
    program("regenerate-certs", "-f", "web")
    assert not files.exists("cert.pem")
    program("regenerate-certs", "-f", "--client-certs", "web")
    first = files.read("cert.pem")
    program("regenerate-certs", "-f", "--client-certs", "web")
    assert files.read("cert.pem") not in (None, first)


def test_an_unknown_machine_is_said_before_the_question(program: Program, renewed: list[str]) -> None:
    said = program("regenerate-certs", "nobody", stdin="y\n")
    assert said.code == 1
    assert QUESTION not in said.out


def test_a_stopped_machine_and_a_given_endpoint_are_refused(program: Program, fleet: Fleet, renewed: list[str]) -> None:
    fleet.add("off", State.STOPPED, driver="generic")
    fleet.add("far", driver="none", route="given")
    said = program("regenerate-certs", "-f", "off")
    assert (said.code, "Host is not running" in said.err) == (1, True)
    said = program("regenerate-certs", "-f", "far")
    assert (said.code, "the endpoint is not ours" in said.err) == (1, True)
    assert renewed == []


def test_the_host_is_told_that_a_new_one_is_wanted(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    from machine.driver import load_driver
    from machine.operations import bringup, converge
    from machine.operations.operation import Settings

    machine = add_machine(store)
    wanted: list[dict[str, Any]] = []

    class Stop(Exception):
        pass

    def session(_channel: object, document: dict[str, Any], **_: object) -> None:
        wanted.append(document)
        raise Stop

    class Connection:
        host, user, port = "192.0.2.7", "root", 22

        @contextlib.contextmanager
        def open(self, *_: object) -> Iterator[None]:
            yield

    monkeypatch.setattr(bringup, "connect_to_host", lambda *_, **__: Connection())
    monkeypatch.setattr(converge.session, "converge", session)
    with pytest.raises(Stop):
        certificates.regenerate(store, machine, load_driver("generic"), Settings())
    assert wanted[0]["certificate"]["renew"] is True
    assert "settings" not in wanted[0]["engine"]
