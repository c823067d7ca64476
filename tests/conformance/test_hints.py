"""Whatever tells people what to type next, tells it under the name that they called."""

from __future__ import annotations

import re

import pytest

from machine.model import State
from machine.store.store import Store
from tests.conformance.conftest import Fleet, Program
from tests.conformance.hosts import Hosts

NOBODY = 2**30  # no process has this number


def other(program: Program) -> str:
    """How a command of the other name would begin."""
    return program.expects({"docker-machine": r"\bpymachine [a-z]", "pymachine": r"\bdocker-machine [a-z]"})


def test_of_a_create_that_failed(program: Program, hosts: Hosts) -> None:
    hosts.cloud.fail("run")
    said = program(*hosts.create, "web")
    assert f"to go on: {program.name} create web; to clean up: {program.name} rm web" in said.err
    assert not re.search(other(program), said.out + said.err)


def test_of_a_create_that_was_interrupted_in_the_list(program: Program, fleet: Fleet, store: Store) -> None:
    made = fleet.add("web")
    entry = store.journal.begin(made, "provision")
    with store.database.write() as db:  # whose process is gone
        db.execute("UPDATE operations SET owner_pid = ?, heartbeat = 0 WHERE id = ?", (NOBODY, entry.id))
    said = program("ls", "-f", "{{.Error}}")
    assert f"go on: {program.name} provision web" in said.out


def test_of_an_endpoint_at_the_end_of_a_tunnel(program: Program, fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    fleet.add("web", route="ssh", address="192.0.2.1")
    # docker-machine dials first, and would have to dig the tunnel for that.
    monkeypatch.setattr("machine.operations.observe._ask_endpoint", lambda *_: fleet.health("192.0.2.1"))
    said = program("env", "--shell", "bash", "web")
    assert said.code == 0
    assert f"keep `{program.name} tunnel web` running" in said.out


def test_of_a_machine_that_is_stopped(program: Program, fleet: Fleet) -> None:
    fleet.add("off", State.STOPPED, driver="generic")
    for words in (["env", "off"], ["url", "off"], ["provision", "off"], ["ssh", "off"]):
        assert not re.search(other(program), program(*words).err)
