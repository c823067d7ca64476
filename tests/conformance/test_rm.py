"""``rm``: the question, what counts as yes, one machine after the other, and exit codes under each name."""

from __future__ import annotations

import os
from importlib.metadata import EntryPoint

import pytest

from machine.store.store import Store
from tests.conformance.conftest import Program
from tests.conformance.hosts import Hosts

QUESTION = "Are you sure? (y/n): "
WARNING = "WARNING: This action will delete both local reference and remote instance.\n"


@pytest.fixture
def two(program: Program, hosts: Hosts) -> Hosts:
    """Two machines, running."""
    for name in ("web", "db"):
        assert program(*hosts.create, name).code == 0
    return hosts


def announced(program: Program, names: str) -> str:
    return f"About to remove {names}\n" + (WARNING if program.drop_in else "")


def removed(program: Program, name: str) -> str:
    return f"Successfully removed {name}\n" if program.drop_in else f"{name} is removed, after "


@pytest.mark.parametrize("words", [["-y"], ["-f"], ["--force"], ["-f", "-y"]], ids=" ".join)
@pytest.mark.parametrize("place", ["before", "after"])
def test_what_says_yes_asks_nothing(program: Program, two: Hosts, store: Store, words: list[str], place: str) -> None:
    said = program("rm", *([*words, "web"] if place == "before" else ["web", *words]))
    assert (said.code, said.err) == (0, "")
    assert said.out.startswith(announced(program, "web"))
    assert removed(program, "web") in said.out
    assert QUESTION not in said.out
    assert two.states() == {"db": "running"}
    assert store.machines.names() == ["db"]
    assert not os.path.exists(store.files("web").directory)


@pytest.mark.parametrize("answer", ["y\n", "Y\n", "yes\n", "yup\n"])
def test_an_answer_that_begins_with_y_is_yes(program: Program, two: Hosts, answer: str) -> None:
    said = program("rm", "web", stdin=answer)
    assert said.code == 0
    assert said.out.startswith(announced(program, "web") + QUESTION)
    assert two.states() == {"db": "running"}


@pytest.mark.parametrize("answer", ["n\n", "no\n", "\n", "what\n", ""], ids=repr)
def test_any_other_answer_and_end_of_input_remove_nothing_and_exit_0(program: Program, two: Hosts, answer: str) -> None:
    said = program("rm", "web", stdin=answer)
    assert said.code == 0
    assert said.out == announced(program, "web") + QUESTION
    assert two.states() == {"db": "running", "web": "running"}


def test_no_name_is_an_error_and_default_is_not_meant(program: Program, hosts: Hosts) -> None:
    program(*hosts.create, "default")
    said = program("rm", "-y")
    assert (said.code, said.out) == (1, "")
    assert said.err.splitlines()[0] == "Error: Expected to get one or more machine names as arguments"
    assert hosts.states() == {"default": "running"}


def test_several_names_go_one_after_the_other(program: Program, two: Hosts, store: Store) -> None:
    said = program("rm", "-y", "web", "db")
    assert said.code == 0
    assert said.out.startswith(announced(program, "web, db"))
    assert said.out.index(removed(program, "web")) < said.out.index(removed(program, "db"))
    assert (two.states(), store.machines.names()) == ({}, [])


def test_one_that_cannot_be_removed_is_kept_and_the_others_go(program: Program, two: Hosts, store: Store) -> None:
    two.cloud.fail("terminate")
    said = program("rm", "-y", "web", "db")
    assert said.code == 1
    if program.drop_in:
        assert said.err.startswith('Error removing host "web": ')
    assert "the memory cloud did not remove the instance" in said.err
    (kept,) = store.machines.names()  # under our own name they go side by side: whichever was first
    assert kept == program.expects({"docker-machine": "web", "pymachine": kept})
    assert two.states() == {kept: "running"}
    assert program("rm", "-y", kept).code == 0


def test_force_forgets_what_cannot_be_removed(program: Program, two: Hosts, store: Store) -> None:
    two.cloud.fail("terminate")
    said = program("rm", "-f", "web")
    assert said.code == program.expects({"docker-machine": 0, "pymachine": 1})
    assert "may still exist" in said.out + said.err
    assert store.machines.names() == ["db"]
    assert [each.machine for each in store.orphans.all()] == ["web"]


def test_an_unknown_name_takes_the_others_along_under_docker_machines_name_only(
    program: Program, two: Hosts, store: Store
) -> None:
    said = program("rm", "-y", "nobody", "web")
    assert said.code == 1
    if program.drop_in:
        assert said.err.startswith('Error removing host "nobody": Docker machine "nobody" does not exist.')
        assert said.out.startswith(announced(program, "nobody, web"))
        assert store.machines.names() == ["db"]
    else:
        assert said.err.startswith('Error: no machine "nobody"')
        assert store.machines.names() == ["db", "web"]


def test_force_makes_an_unknown_name_no_error_under_docker_machines_name(
    program: Program, two: Hosts, store: Store
) -> None:
    said = program("rm", "-f", "nobody")
    assert said.code == program.expects({"docker-machine": 0, "pymachine": 1})
    assert "nobody" in said.err
    assert "Successfully removed" not in said.out
    assert store.machines.names() == ["db", "web"]


def test_one_that_is_gone_at_the_provider_is_removed(program: Program, two: Hosts, store: Store) -> None:
    for each in two.cloud.instances():
        two.cloud.lose(each.id)
    assert program("rm", "-y", "web", "db").code == 0
    assert store.machines.names() == []


def test_a_stopped_machine_is_removed(program: Program, two: Hosts, store: Store) -> None:
    program("stop", "web")
    assert program("rm", "-y", "web").code == 0
    assert two.states() == {"db": "running"}


def test_force_forgets_a_machine_whose_driver_cannot_be_loaded(
    program: Program, two: Hosts, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = EntryPoint("memory", "no_such_module:Driver", "pymachine.drivers")
    monkeypatch.setattr("machine.driver._entry_points", lambda: [broken])
    said = program("rm", "-y", "web")
    assert said.code == program.expects({"docker-machine": 1, "pymachine": 3})
    assert store.machines.names() == ["db", "web"]
    said = program("rm", "-f", "web")
    assert said.code == program.expects({"docker-machine": 0, "pymachine": 1})
    assert "the driver memory cannot be loaded" in said.out + said.err
    assert store.machines.names() == ["db"]
    assert [each.machine for each in store.orphans.all()] == ["web"]
    assert two.states() == {"web": "running", "db": "running"}
