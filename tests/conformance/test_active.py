"""``active``: the machine that ``DOCKER_HOST`` points at, from the store."""

from __future__ import annotations

import pytest

from machine.model import State
from tests.conformance.conftest import Fleet, Program

URL = "tcp://192.0.2.1:2376"


@pytest.mark.parametrize("words", [[], ["-t", "3"], ["--timeout", "3"]], ids=" ".join)
def test_it_is_the_one_of_that_url_and_nobody_is_asked(
    program: Program, fleet: Fleet, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    fleet.add("h1")
    fleet.add("h2")
    monkeypatch.setenv("DOCKER_HOST", URL)
    said = program("active", *words)
    assert (said.code, said.out, said.err) == (0, "h1\n", "")
    assert fleet.asked == []


def test_the_name_in_the_environment_decides_nothing(
    program: Program, fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet.add("h1")
    monkeypatch.setenv("DOCKER_MACHINE_NAME", "h1")
    assert program("active").code == 1
    monkeypatch.setenv("DOCKER_HOST", URL)
    monkeypatch.setenv("DOCKER_MACHINE_NAME", "h2")
    assert program("active").out == "h1\n"


@pytest.mark.parametrize("host", ["", "tcp://192.0.2.99:2376", "unix:///var/run/docker.sock"])
def test_no_machine_there_is_an_error(
    program: Program, fleet: Fleet, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    fleet.add("h1")
    monkeypatch.setenv("DOCKER_HOST", host)
    said = program("active")
    first = program.expects({"docker-machine": "No active host found", "pymachine": "Error: No active host found"})
    assert (said.code, said.out, said.err.splitlines()[0]) == (1, "", first)


@pytest.mark.parametrize("words", [[], ["-t", "3"]], ids=" ".join)
def test_a_stopped_machine_is_not_active(
    program: Program, fleet: Fleet, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    fleet.add("h1", State.STOPPED)
    monkeypatch.setenv("DOCKER_HOST", URL)
    said = program("active", *words)
    assert (said.code, said.out) == (1, "")
    assert "No active host found" in said.err


def test_it_takes_no_argument(program: Program, fleet: Fleet) -> None:
    fleet.add("h1")
    said = program("active", "h1")
    assert (said.code, said.out) == (1, "")
    assert said.err.splitlines()[0] == "Error: Too many arguments given"
