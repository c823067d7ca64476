"""``ip``, ``url``, ``status``: one line each, from the store or from the provider, and exit codes."""

from __future__ import annotations

import pytest

from machine.model import State
from machine.store.store import Store
from tests.conformance.conftest import Fleet, Program

NO_DEFAULT = {
    "docker-machine": 'Error: No machine name(s) specified and no "default" machine exists',
    "pymachine": 'Error: no machine name given, and there is no machine "default"',
}
UNKNOWN = {
    "docker-machine": 'Docker machine "nobody" does not exist. Use "docker-machine ls" to list machines. '
    'Use "docker-machine create" to add a new one.',
    "pymachine": 'Error: no machine "nobody"',
}
ONE_NAME = ["config", "env", "inspect", "ip", "ssh", "status", "url", "start", "stop", "restart", "kill", "provision",
            "upgrade"]  # fmt: skip


@pytest.mark.parametrize(("command", "line"), [("ip", "192.0.2.1\n"), ("url", "tcp://192.0.2.1:2376\n")])
def test_it_is_one_line_from_the_store(program: Program, fleet: Fleet, command: str, line: str) -> None:
    fleet.add("default")
    for words in (["default"], [], ["DEFAULT"]):
        said = program(command, *words)
        assert (said.code, said.out, said.err) == (0, line, "")
    assert fleet.asked == []


def test_addresses_of_several_are_one_a_line(program: Program, fleet: Fleet) -> None:
    fleet.add("a")
    fleet.add("b", State.STOPPED)
    assert program("ip", "b", "a").out == "192.0.2.2\n192.0.2.1\n"


def test_one_unknown_name_and_no_address_is_printed(program: Program, fleet: Fleet) -> None:
    fleet.add("a")
    said = program("ip", "a", "nobody")
    assert (said.code, said.out) == (1, "")
    assert said.err.splitlines()[0] == program.expects(UNKNOWN)


def test_the_address_of_the_driver_none_has_no_port(program: Program, fleet: Fleet) -> None:
    program("create", "-d", "none", "--url", "tcp://192.0.2.9:2375", "far")
    assert program("ip", "far").out == "192.0.2.9\n"
    assert program("url", "far").out == "tcp://192.0.2.9:2375\n"


def test_the_url_of_a_stopped_machine_is_an_error(program: Program, fleet: Fleet) -> None:
    fleet.add("h1", State.STOPPED)
    said = program("url", "h1")
    assert (said.code, said.out) == (1, "")
    first = {"docker-machine": "Host is not running", "pymachine": 'Error: "h1" is recorded as stopped'}
    assert said.err.splitlines()[0] == program.expects(first)


def test_docker_machine_takes_one_name_for_a_url(program: Program, fleet: Fleet) -> None:
    fleet.add("a")
    fleet.add("b")
    said = program("url", "a", "b")
    if program.drop_in:
        assert (said.code, said.out) == (1, "")
        assert said.err.splitlines()[0] == "Error: Expected one machine name as an argument"
    else:
        assert (said.code, len(said.out.splitlines())) == (0, 2)


@pytest.mark.parametrize("command", ONE_NAME)
def test_without_a_name_and_without_default(program: Program, fleet: Fleet, command: str) -> None:
    fleet.add("h1")
    said = program(command)
    assert (said.code, said.out) == (1, "")
    assert said.err.splitlines()[0] == program.expects(NO_DEFAULT)


@pytest.mark.parametrize("command", [*ONE_NAME, "version"])
def test_an_unknown_name(program: Program, fleet: Fleet, command: str) -> None:
    fleet.add("somebody")
    said = program(command, "nobody")
    assert (said.code, said.out) == (1, "")
    assert said.err.splitlines()[0] == program.expects(UNKNOWN)


@pytest.mark.parametrize("command", [*ONE_NAME, "version", "rm"])
def test_a_mistyped_name_gets_the_nearest(program: Program, fleet: Fleet, command: str) -> None:
    fleet.add("web1")
    said = program(command, *(["-y"] if command == "rm" else []), "wep1")
    assert said.code == 1
    assert "did you mean web1?" in said.err


def test_the_state_is_one_word_on_stdout_and_exit_0(program: Program, fleet: Fleet) -> None:
    fleet.add("default", says=State.STOPPED, engine=None)
    for words in ([], ["default"]):
        said = program("status", *words)
        assert (said.code, said.out, said.err) == (0, "Stopped\n", "")


def test_a_provider_that_does_not_answer_is_an_error_under_docker_machines_name(
    program: Program, fleet: Fleet, store: Store
) -> None:
    fleet.add("h1", says="no credentials")
    said = program("status", "h1")
    if program.drop_in:
        assert (said.code, said.out) == (1, "")
        assert said.err.splitlines()[0] == "error getting state for host h1: no credentials"
    else:
        assert (said.code, said.out, said.err) == (0, "Running\n", "h1: no credentials\n")
    assert store.machines.get("h1").state is State.RUNNING
