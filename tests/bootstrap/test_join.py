"""Two stores, one host: the second is refused and told whose it is, or joins; each leaves alone, the last takes all."""

from __future__ import annotations

import json
import os
import pwd
from pathlib import Path
from typing import Any

import pytest
from fake_host import FakeHost
from operator_side import Operator

from machine.bootstrap import session
from machine.errors import BootstrapFailed

ME = pwd.getpwuid(os.getuid())
KEYS = {"store-1": "ssh-ed25519 AAAA1", "store-2": "ssh-ed25519 AAAA2", "store-3": "ssh-ed25519 AAAA3"}


class Store:
    """One operator with a CA of its own, and what it calls the machine."""

    def __init__(self, number: int) -> None:
        self.id, self.machine = f"store-{number}", f"web{number}"
        self.operator = Operator(f"ca{number}")

    def converge(self, host: FakeHost, **changes: Any) -> session.HostReport:
        certificate = {"ca": self.ca, "names": ["10.0.0.5", self.machine]}
        key = {"user": ME.pw_name, "key": KEYS[self.id]}
        common = {"certificate": certificate, "authorized_key": key, "endpoint": {"port": self.port}}
        return self.operator.converge(host, store=self.id, machine=self.machine, **{**common, **changes})

    def uninstall(self, host: FakeHost) -> session.Uninstalled:
        return self.operator.uninstall(host, store=self.id, machine=self.machine)

    @property
    def ca(self) -> str:
        return self.operator.authority.pem.decode()

    port = 0


@pytest.fixture
def stores(host: FakeHost) -> tuple[Store, Store, Store]:
    (host.root / ME.pw_dir.lstrip("/")).mkdir(parents=True, exist_ok=True)
    Store.port = Operator().port
    return Store(1), Store(2), Store(3)


def logins(host: FakeHost) -> list[str]:
    path = host.root / ME.pw_dir.lstrip("/") / ".ssh/authorized_keys"
    return path.read_text().splitlines() if path.exists() else []


def believed(host: FakeHost) -> str:
    return host.own("ca.pem").read_text()


def test_a_second_store_is_refused_and_told_how_it_could_join(host: FakeHost, stores: tuple[Store, ...]) -> None:
    stores[0].converge(host)
    before = host.files()
    with pytest.raises(BootstrapFailed, match="'web1' of another store") as caught:
        stores[1].converge(host)
    assert caught.value.code == "other-store"
    assert "--join" in str(caught.value.hint)
    assert host.files() == before


def test_who_joins_is_let_in_beside_the_owner_and_learns_the_owner_s_ca(
    host: FakeHost, stores: tuple[Store, ...]
) -> None:
    one, two, _ = stores
    one.converge(host)
    certificate, calls = host.own("cert.pem").read_bytes(), len(host.systemctl_calls())
    report = two.converge(host, join=True)
    assert (report.owner, report.trust, report.port) == ("store-1", one.ca, Store.port)
    assert not report.agent_changed
    assert believed(host).count("BEGIN CERTIFICATE") == 2
    assert two.ca.strip() in believed(host)
    assert host.own("cert.pem").read_bytes() == certificate
    assert two.operator.signed == []
    assert [call[0] for call in host.systemctl_calls()[calls:]] == ["show", "reload", "show"]
    assert [line.split()[-1] for line in logins(host)] == ["pymachine:store-1/web1", "pymachine:store-2/web2"]


def test_both_converge_again_and_change_nothing(host: FakeHost, stores: tuple[Store, ...]) -> None:
    one, two, _ = stores
    one.converge(host)
    two.converge(host, join=True)
    before = host.files()
    assert one.converge(host).changed == ()
    again = two.converge(host)  # a member need not ask again
    assert (again.changed, again.trust) == ((), one.ca)
    assert host.files() == before
    assert len(one.operator.signed) == 1


def test_a_new_certificate_of_the_owner_keeps_members_in(host: FakeHost, stores: tuple[Store, ...]) -> None:
    one, two, _ = stores
    one.converge(host)
    two.converge(host, join=True)
    one.converge(host, certificate={"ca": one.ca, "names": ["10.0.0.5", "web1", "more.example"]})
    assert two.ca.strip() in believed(host)


def test_a_member_leaves_alone(host: FakeHost, stores: tuple[Store, ...]) -> None:
    one, two, _ = stores
    one.converge(host)
    before = {name: entry[1] for name, entry in host.files().items()}
    two.converge(host, join=True)
    gone = two.uninstall(host)
    assert any("store-1" in line for line in gone.kept)
    after = {name: entry[1] for name, entry in host.files().items()}
    assert {name for name in after if after[name] != before.get(name)} == {"var/lib/pymachine-agent/state.json"}
    assert two.uninstall(host).removed == (), "twice is success"
    assert one.converge(host).changed == ()
    with pytest.raises(BootstrapFailed, match="another store"):
        two.converge(host)


def test_the_owner_leaves_and_the_first_member_takes_its_place(host: FakeHost, stores: tuple[Store, ...]) -> None:
    one, two, three = stores
    one.converge(host)
    two.converge(host, join=True)
    three.converge(host, join=True)
    served = host.own("cert.pem").read_bytes()
    one.uninstall(host)
    assert host.state()["owner"] == {"store": "store-2", "machine": "web2"}
    assert one.ca.strip() not in believed(host)
    assert host.own("cert.pem").read_bytes() == served, "nobody is cut off"
    assert three.converge(host).trust == one.ca, "who signed it, until the new owner signs"
    report = two.converge(host)
    assert report.owner is None
    assert any("who signed it has left" in line for line in report.changed)
    assert three.converge(host).trust == two.ca
    assert one.uninstall(host).removed == ()


def test_the_last_one_takes_all_away(host: FakeHost, stores: tuple[Store, ...]) -> None:
    one, two, _ = stores
    before = host.files()
    one.converge(host)
    two.converge(host, join=True)
    one.uninstall(host)
    two.uninstall(host)
    assert host.files() == before
    assert logins(host) == []


def test_an_address_the_certificate_does_not_name_is_refused(host: FakeHost, stores: tuple[Store, ...]) -> None:
    one, two, _ = stores
    one.converge(host)
    before = host.files()
    with pytest.raises(BootstrapFailed, match=r"does not name 192\.0\.2\.9") as caught:
        two.converge(host, join=True, certificate={"ca": two.ca, "names": ["192.0.2.9"]})
    assert caught.value.code == "join-address"
    assert "--tls-san 192.0.2.9" in str(caught.value.hint)
    assert host.files() == before


def test_a_ca_with_the_name_of_one_that_is_let_in_is_refused(host: FakeHost, stores: tuple[Store, ...]) -> None:
    """Clients are told apart by their CA's name: it could name another store's machine in its certificates."""
    one, two, _ = stores
    one.converge(host)
    before = host.files()
    impostor = Operator("ca1").authority.pem.decode()
    for ca in (impostor, one.ca + two.ca, "none"):
        with pytest.raises(BootstrapFailed, match="the CA of the store that joins"):
            two.converge(host, join=True, certificate={"ca": ca, "names": ["10.0.0.5"]})
    assert host.files() == before


def test_port_and_engine_settings_are_the_owner_s(host: FakeHost, stores: tuple[Store, ...]) -> None:
    one, two, _ = stores
    one.converge(host)
    before = host.files()
    with pytest.raises(BootstrapFailed, match="owner"):
        two.converge(host, join=True, endpoint={"port": Store.port, "take": True})
    assert host.files() == before
    two.converge(host, join=True, engine={"kind": "docker", "source": "auto", "settings": {"debug": True}})
    assert any("they stay as they are" in text for text in two.operator.texts("warning"))
    assert not (host.root / "etc/docker").exists()


def test_a_host_nobody_has_is_simply_owned(host: FakeHost, stores: tuple[Store, ...]) -> None:
    report = stores[1].converge(host, join=True)
    assert report.owner is None
    assert host.state()["owner"]["store"] == "store-2"


def test_a_member_under_another_name_is_refused(host: FakeHost, stores: tuple[Store, ...]) -> None:
    one, two, _ = stores
    one.converge(host)
    two.converge(host, join=True)
    two.machine = "other"
    with pytest.raises(BootstrapFailed, match="'web2' of this store"):
        two.converge(host, join=True)


def test_a_member_keeps_a_newer_agent_and_brings_one(host: FakeHost, stores: tuple[Store, ...]) -> None:
    one, two, _ = stores
    one.converge(host)
    state = host.state()
    host.own("state.json").write_text(json.dumps({**state, "agent": {**state["agent"], "version": "0.0.1"}}))
    report = two.converge(host, join=True)
    assert report.agent_changed
    assert host.state()["agent"]["version"] == report.agent_version
    assert Path(os.path.realpath(host.own("current"))).exists()
