"""``version``: the program's own, or that of a machine's engine."""

from __future__ import annotations

import pytest

from tests.conformance.conftest import Fleet, Program


def test_with_a_name_it_is_the_engine_s(program: Program, fleet: Fleet) -> None:
    fleet.add("h1", engine="24.0.7")
    said = program("version", "h1")
    assert (said.code, said.out, said.err) == (0, "24.0.7\n", "")


@pytest.mark.parametrize("words", [["version"], ["-v"], ["--version"]], ids=" ".join)
def test_without_one_nobody_is_asked_and_default_is_not_meant(program: Program, fleet: Fleet, words: list[str]) -> None:
    fleet.add("default", engine="24.0.7")
    said = program(*words)
    assert said.code == 0
    assert said.out.startswith(f"{program.name} version ")
    assert "24.0.7" not in said.out
    assert fleet.asked == []


def test_an_engine_that_does_not_answer_is_an_error(program: Program, fleet: Fleet) -> None:
    fleet.add("h1", engine=None)
    said = program("version", "h1")
    assert (said.code, said.out) == (1, "")
    assert "does not answer" in said.err


def test_two_names_are_refused(program: Program, fleet: Fleet) -> None:
    fleet.add("h1")
    said = program("version", "h1", "h2")
    assert (said.code, said.out) == (1, "")
    assert said.err.splitlines()[0] == "Error: Expected one machine name as an argument"
