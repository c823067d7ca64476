"""A host key that others may have had is replaced on a real host, under the connection that it vouched for."""

from __future__ import annotations

import json
import sqlite3
import subprocess
from contextlib import closing

import pytest

from machine.store.location import DATABASE
from tests.e2e.command import Pymachine
from tests.e2e.test_generic import options
from tests.testbed.fixtures import HostFactory
from tests.testbed.host import Host

pytestmark = pytest.mark.e2e


def shown(host: Host) -> set[str]:
    """The keys that sshd presents now."""
    ran = subprocess.run(["ssh-keyscan", "-t", "ed25519", host.address], capture_output=True, text=True, check=True)
    return {" ".join(line.split()[1:3]) for line in ran.stdout.splitlines()}


def pinned(pymachine: Pymachine) -> list[str]:
    text = (pymachine.store / "machines" / "web1" / "known_hosts").read_text()
    return [" ".join(line.split()[1:3]) for line in text.splitlines()]


def recorded(pymachine: Pymachine) -> tuple[list[str], dict[str, object]]:
    with closing(sqlite3.connect(pymachine.store / DATABASE)) as db:
        access, data = db.execute("SELECT access, data FROM instances").fetchone()
    return json.loads(access)["host_keys"], json.loads(data)


def came_in_user_data(pymachine: Pymachine, key: str) -> None:
    """As a driver would note it."""
    with closing(sqlite3.connect(pymachine.store / DATABASE, isolation_level=None)) as db:
        db.execute("UPDATE instances SET data = json_set(data, '$.injected_host_key', ?)", (key,))


def test_the_host_has_a_key_of_its_own_and_only_that_is_believed(
    pymachine: Pymachine, host_factory: HostFactory
) -> None:
    host = host_factory(kind="docker")
    old = host.host_key
    pymachine("create", *options(host), "web1")
    assert (shown(host), pinned(pymachine)) == ({old}, [old])
    open_before = subprocess.Popen(host.ssh("cat"), stdin=-1, stdout=-1, text=True)
    assert open_before.stdin is not None
    assert open_before.stdout is not None
    open_before.stdin.write("a\n")
    open_before.stdin.flush()
    assert open_before.stdout.readline() == "a\n"

    came_in_user_data(pymachine, old)
    made = pymachine("provision", "web1")
    assert "the host key was made here" in made.stdout
    (new,) = shown(host)
    assert new != old
    assert pinned(pymachine) == [new]
    keys, notes = recorded(pymachine)
    assert keys == [new]
    assert "injected_host_key" not in notes
    assert pymachine("ssh", "web1", "cat /etc/ssh/ssh_host_ed25519_key.pub").stdout.split()[:2] == new.split()
    assert pymachine("ssh", "web1", "stat -c %a /etc/ssh/ssh_host_ed25519_key*").stdout.split() == ["600", "644"]
    assert open_before.communicate("b\n", timeout=10)[0] == "b\n"

    again = pymachine("provision", "web1")
    assert "host key was made" not in again.stdout
    assert (shown(host), pinned(pymachine)) == ({new}, [new])
    host.stop()
    host.start()
    pymachine("provision", "web1")
    assert shown(host) == {new}
    pymachine("rm", "-y", "web1")
