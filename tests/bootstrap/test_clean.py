"""A host that shall be an image: nothing that makes it this machine is left, and the agent and the engine are."""

from __future__ import annotations

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
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ" + "x" * 42
IDENTITY = (
    "etc/ssh/ssh_host_ed25519_key",
    "etc/ssh/ssh_host_rsa_key.pub",
    "etc/docker/key.json",
    "var/lib/docker/engine-id",
    "var/lib/docker/network/files/local-kv.db",
    "var/lib/systemd/random-seed",
    "var/lib/systemd/credential.secret",
    "var/lib/dbus/machine-id",
    "var/lib/dhcp/dhclient.eth0.leases",
    "var/log/journal/0123/system.journal",
    "var/lib/pymachine-agent/early/packages",
)


@pytest.fixture
def used(host: FakeHost, operator: Operator) -> FakeHost:
    """A host that was set up, with everything on it that a machine has."""
    home = host.root / ME.pw_dir.lstrip("/")
    home.mkdir(parents=True, exist_ok=True)
    operator.converge(host, authorized_key={"user": ME.pw_name, "key": KEY})
    for each in IDENTITY:
        host.file(each, "SECRET-4711")
    host.file("etc/machine-id", "0123456789abcdef0123456789abcdef\n")
    host.file("var/log/auth.log", "SECRET-4711 logged in\n")
    host.file("etc/ssh/sshd_config", "Port 22\n")
    (home / ".bash_history").write_text("SECRET-4711\n")
    with (home / ".ssh/authorized_keys").open("a") as file:
        file.write("ssh-rsa SECRET-4711 of an EC2 key pair\n")
    host.command("cloud-init", f'echo "$*" >>{host.root}/cloud-init; rm -rf {host.root}/var/lib/cloud')
    host.file("var/lib/cloud/seed/nocloud/user-data", "SECRET-4711\n")
    return host


def clean(operator: Operator, host: FakeHost, **changes: Any) -> None:
    session.scrub(
        host.channel(),
        operator.wanted(**changes),
        emit=lambda *event: operator.events.append(event),
        script=host.script,
        root=str(host.root),
    )


def holding(host: FakeHost, *texts: str) -> list[str]:
    """The files that have one of these in them."""
    return [
        name
        for name, (_, content, _) in host.files().items()
        if any(text.encode() in (content if isinstance(content, bytes) else b"") for text in texts)
    ]


def test_nothing_of_the_machine_is_left(used: FakeHost, operator: Operator) -> None:
    clean(operator, used)
    assert holding(used, "SECRET-4711", "store-1", "web1", KEY.split()[1], "PRIVATE KEY", "CERTIFICATE") == []
    assert [each for each in IDENTITY if (used.root / each).exists()] == []
    assert (used.root / "etc/machine-id").read_bytes() == b"", "empty, and not gone: a first boot fills it in"
    assert (used.root / "var/log/auth.log").read_bytes() == b""
    assert not (used.root / ME.pw_dir.lstrip("/") / ".ssh/authorized_keys").exists()
    assert (used.root / "cloud-init").read_text() == "clean --logs --seed\n"
    assert (used.root / "etc/ssh/sshd_config").read_text() == "Port 22\n"
    assert sorted(os.listdir(used.own(""))) == ["agents", "current", "state.json"]
    assert not list(used.root.glob("etc/systemd/system/**/pymachine-agent.*"))


def test_the_next_machine_finds_the_agent_and_is_another(used: FakeHost, operator: Operator) -> None:
    clean(operator, used)
    other = Operator()
    report = other.converge(used, store="store-2", machine="web2")
    assert (report.agent_sent, report.agent_changed) == (False, False)
    assert len(other.signed) == 1
    assert other.signed != operator.signed, "a key of its own"
    assert used.state()["owner"] == {"store": "store-2", "machine": "web2"}
    assert (used.root / "etc/systemd/system/sockets.target.wants/pymachine-agent.socket").is_symlink()


def test_the_shutdown_does_not_write_the_random_seed_again(used: FakeHost, operator: Operator) -> None:
    clean(operator, used)
    assert ["stop", "systemd-random-seed.service"] in used.systemctl_calls()


@pytest.mark.parametrize(
    ("changes", "code"), [({"store": "store-2"}, "other-store"), ({"machine": "web2"}, "other-machine")]
)
def test_nobody_cleans_anothers_host(used: FakeHost, operator: Operator, changes: dict[str, Any], code: str) -> None:
    before = used.files()
    with pytest.raises(BootstrapFailed) as caught:
        clean(operator, used, **changes)
    assert caught.value.code == code
    assert used.files() == before


def test_a_host_with_containers_is_refused_untouched(used: FakeHost, operator: Operator) -> None:
    (used.root / "var/lib/docker/containers/0123").mkdir(parents=True)
    before = used.files()
    with pytest.raises(BootstrapFailed, match="there are 1 containers") as caught:
        clean(operator, used)
    assert caught.value.code == "clean"
    assert used.files() == before


def test_a_link_in_a_home_leads_to_nobodys_files(used: FakeHost, operator: Operator, tmp_path: Path) -> None:
    """What is removed is the link itself, by its account."""
    precious = tmp_path / "precious"
    precious.write_text("kept")
    history = used.root / ME.pw_dir.lstrip("/") / ".bash_history"
    history.unlink()
    history.symlink_to(precious)
    clean(operator, used)
    assert not history.is_symlink()
    assert precious.read_text() == "kept"


def test_a_cloud_init_that_does_not_forget_fails_it(used: FakeHost, operator: Operator) -> None:
    used.command("cloud-init", "echo 'not today' >&2; exit 1")
    with pytest.raises(BootstrapFailed, match="does not forget") as caught:
        clean(operator, used)
    assert caught.value.cause == "not today"
