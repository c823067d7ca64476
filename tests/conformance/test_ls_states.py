"""States in ``ls`` and ``status``: one word, docker-machine's under its name."""

from __future__ import annotations

import pytest

from machine.compat.states import IN_ITS_WORDS, WORDS, its_word
from machine.model import State
from machine.store.store import Store
from tests.conformance.conftest import Fleet, Program

SEEN = {
    State.CREATING: ("Creating", "Starting"),
    State.STARTING: ("Starting", "Starting"),
    State.RUNNING: ("Running", "Running"),
    State.STOPPING: ("Stopping", "Stopping"),
    State.STOPPED: ("Stopped", "Stopped"),
    State.PREEMPTED: ("Preempted", "Stopped"),
    State.GONE: ("Gone", "Error"),
    State.ERROR: ("Error", "Error"),
    State.UNKNOWN: ("Unknown", "Timeout"),
}


@pytest.mark.parametrize("state", State)
def test_states_have_docker_machines_words_under_its_name(program: Program, fleet: Fleet, state: State) -> None:
    fleet.add("h1", says=state, engine=None)
    ours, its = SEEN[state]
    word = its if program.drop_in else ours
    assert program("ls", "-f", "{{.State}}").out == f"{word}\n"
    assert program("status", "h1").out == f"{word}\n"
    assert program("ls", "-q", "--filter", f"state={word}").out == "h1\n"


def test_every_state_of_ours_is_a_word_of_docker_machines() -> None:
    assert set(IN_ITS_WORDS) == set(State)
    assert set(IN_ITS_WORDS.values()) <= set(WORDS)


def test_an_endpoint_by_its_url_runs_as_docker_machine_has_it(program: Program, fleet: Fleet) -> None:
    fleet.add("place", State.UNKNOWN, driver="none", route="plain", engine=None)
    assert program("ls", "-f", "{{.State}}").out == program.expects(
        {"docker-machine": "Running\n", "pymachine": "Unknown\n"}
    )
    assert its_word(State.STOPPED, given=True) == "Stopped"


def test_status_is_one_word_and_exits_0_whatever_it_is(program: Program, fleet: Fleet) -> None:
    fleet.add("default", State.STOPPED)
    for words in (["status"], ["status", "default"], ["status", "DEFAULT"]):
        said = program(*words)
        assert (said.code, said.out, said.err) == (0, "Stopped\n", "")


def test_status_of_two_machines_is_refused(program: Program, fleet: Fleet) -> None:
    fleet.add("a")
    fleet.add("b")
    said = program("status", "a", "b")
    assert (said.code, said.out) == (1, "")
    assert said.err.startswith("Error: Expected one machine name as an argument\n")


def test_a_state_that_was_seen_is_recorded(program: Program, fleet: Fleet, store: Store) -> None:
    fleet.add("h1", State.RUNNING, says=State.STOPPED, engine=None)
    program("ls")
    assert store.machines.get("h1").state is State.STOPPED
