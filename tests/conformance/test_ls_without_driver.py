"""``ls`` and ``status`` of a machine whose driver cannot be loaded: a row of its own, and nobody else's trouble."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from typing import Any

import pytest

from machine.driver import load_driver
from machine.model import State
from machine.store.store import Store
from tests.conformance.conftest import Fleet, Program

GONE = 'Driver "plugged" not found. Do you have the plugin binary accessible in your PATH?'
BROKEN = (
    "the driver plugged cannot be loaded (no_such_module:Driver: ModuleNotFoundError: No module named 'no_such_module')"
)


@pytest.fixture
def plugged(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> Fleet:
    """A machine of a plugin that is gone, and one of a driver that is there."""
    fleet.add("h1", driver="plugged")
    fleet.add("h2")

    def load(name: str) -> Any:
        return load_driver(name) if name == "plugged" else fleet.load(name)

    monkeypatch.setattr("machine.driver.load_driver", load)
    return fleet


@pytest.fixture
def broken(plugged: Fleet, monkeypatch: pytest.MonkeyPatch) -> Fleet:
    """The same; the plugin is there, and cannot be imported."""
    point = EntryPoint("plugged", "no_such_module:Driver", "pymachine.drivers")
    monkeypatch.setattr("machine.driver._entry_points", lambda: [point])
    return plugged


def row(program: Program, *words: str) -> str:
    """The line of h1, with its blanks squeezed."""
    said = program("ls", *words)
    assert (said.code, said.err) == (0, "")
    (line,) = [line for line in said.out.splitlines() if line.startswith("h1 ")]
    assert any(line.startswith("h2 ") and "Running" in line for line in said.out.splitlines())
    return " ".join(line.split())


def test_a_plugin_that_is_gone(program: Program, plugged: Fleet) -> None:
    both = {"docker-machine": f"h1 not found Error {GONE}",
            "pymachine": "h1 - plugged Running tcp://192.0.2.1:2376 v20.10.24"}  # fmt: skip
    assert row(program) == program.expects(both)


def test_a_plugin_that_is_broken(program: Program, broken: Fleet) -> None:
    both = {"docker-machine": f"h1 not found Error {BROKEN}",
            "pymachine": f"h1 - plugged Running (0s ago) tcp://192.0.2.1:2376 v20.10.24 {BROKEN}"}  # fmt: skip
    assert row(program) == program.expects(both)


def test_a_driver_that_only_another_version_has_is_known_by_its_name(
    program: Program, fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet.add("h1", driver="hetzner")
    monkeypatch.setattr("machine.driver.load_driver", load_driver)
    said = program("ls", "-f", "{{.Name}} {{.DriverName}} {{.State}} {{.Error}}")
    assert said.out == "h1 hetzner Running \n"


@pytest.mark.parametrize("words", [["-q"], ["-q", "--filter", "driver=plugged"]], ids=" ".join)
def test_its_name_is_listed_with_the_others(program: Program, broken: Fleet, words: list[str]) -> None:
    assert "h1" in program("ls", *words).out.split()


def test_filters_hold_for_it_too(program: Program, broken: Fleet) -> None:
    assert program("ls", "--filter", "name=h2", "-f", "{{.Name}}").out == "h2\n"
    wanted = program.expects({"docker-machine": "h1\n", "pymachine": ""})
    assert program("ls", "--filter", "state=Error", "-f", "{{.Name}}").out == wanted


def test_its_state_is_an_error_under_docker_machines_name(program: Program, broken: Fleet) -> None:
    said = program("status", "h1")
    if program.drop_in:
        assert (said.code, said.out) == (1, "")
        assert said.err.splitlines()[0] == f"error getting state for host h1: {BROKEN}"
    else:
        assert (said.code, said.out, said.err) == (0, "Running\n", f"h1: {BROKEN}\n")


def test_its_recorded_state_stays(program: Program, broken: Fleet, store: Store) -> None:
    program("ls")
    assert store.machines.get("h1").state is State.RUNNING
