"""``config``: the flags of a docker client, to the letter; and dialled first under docker-machine's name."""

from __future__ import annotations

import pytest

from machine.model import State
from machine.store.store import Store
from tests.conformance.conftest import Fleet, Program


def lines(store: Store, name: str, url: str = "tcp://192.0.2.1:2376") -> str:
    """What docker-machine prints of a machine."""
    files = store.files(name).directory
    return (
        f'--tlsverify\n--tlscacert="{files}/ca.pem"\n--tlscert="{files}/cert.pem"\n--tlskey="{files}/key.pem"\n'
        f"-H={url}\n"
    )


@pytest.mark.parametrize("words", [["default"], [], ["default", "ignored"]], ids=" ".join)
def test_it_is_five_lines_and_a_second_name_is_ignored(
    program: Program, fleet: Fleet, store: Store, words: list[str]
) -> None:
    fleet.add("default")
    said = program("config", *words)
    assert (said.code, said.out, said.err) == (0, lines(store, "default"), "")


def test_docker_machine_dials_first_and_pymachine_answers_at_once(program: Program, fleet: Fleet) -> None:
    fleet.add("h1", driver="generic")
    program("config", "h1")
    assert bool(fleet.asked) == program.drop_in


@pytest.mark.parametrize("words", [[], ["--check"]], ids=" ".join)
def test_an_endpoint_that_does_not_answer(program: Program, fleet: Fleet, store: Store, words: list[str]) -> None:
    fleet.add("h1", engine=None)
    said = program("config", "h1", *words)
    if not (program.drop_in or words):
        assert (said.code, said.out) == (0, lines(store, "h1"))
        return
    assert (said.code, said.out) == (1, "")
    assert "refuses connections" in said.err
    if program.drop_in:
        assert said.err.startswith("Error running connection boilerplate: ")


def test_a_stopped_machine_is_an_error(program: Program, fleet: Fleet) -> None:
    fleet.add("h1", State.STOPPED)
    said = program("config", "h1")
    assert (said.code, said.out) == (1, "")
    first = {
        "docker-machine": "Error running connection boilerplate: Host is not running",
        "pymachine": 'Error: "h1" is recorded as stopped',
    }
    assert said.err.splitlines()[0] == program.expects(first)


def test_one_that_has_stopped_since_is_an_error_under_docker_machines_name(program: Program, fleet: Fleet) -> None:
    fleet.add("h1", says=State.STOPPED, engine=None)
    said = program("config", "h1")
    assert said.code == program.expects({"docker-machine": 1, "pymachine": 0})
    if program.drop_in:
        assert said.err.splitlines()[0] == "Error running connection boilerplate: Host is not running"


def test_an_endpoint_without_tls_has_no_flags_of_tls(program: Program, fleet: Fleet) -> None:
    fleet.add("h1", driver="none", route="plain", port=2375)
    assert program("config", "h1").out == "-H=tcp://192.0.2.1:2375\n"


@pytest.mark.parametrize("command", ["config", "env"])
def test_the_classic_swarm_is_answered_with_a_pointer(program: Program, fleet: Fleet, command: str) -> None:
    fleet.add("h1")
    said = program(command, "--swarm", "h1")
    assert (said.code, said.out) == (1, "")
    assert "docker swarm init" in said.err
