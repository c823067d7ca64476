"""Ctrl-C and SIGTERM at every kind of point: it stops promptly, says how to go on, and leaves the same truth."""

from __future__ import annotations

import pytest

from tests.faults.nursery import Ended
from tests.faults.sweep import CASES, Case, Learnt, Sweep, sample
from tests.faults.world import World, listed

POINTS = 8  # of each operation
STOPPED = 130


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("how", ["int", "term", "twice"])
def test_a_signal_stops_an_operation_that_can_go_on(sweep: Sweep, name: str, how: str) -> None:
    case = CASES[name]
    learnt = sweep.learn(case)

    def stopped(world: World, point: str) -> None:
        (ended,) = world.run(case.command, point=point, action=how)
        if ended.code == 0:  # it was past its last safe point
            assert world.described() == learnt.end
            return
        assert "Traceback" not in ended.said, ended
        assert ended.code in (STOPPED, -15) if how == "term" else ended.code == STOPPED, ended
        assert world.unrecorded() == []
        _says_how_to_go_on(world, case, ended)
        _goes_on(world, case, learnt)

    sweep.each(learnt, sample(learnt.all, POINTS), stopped)


def _says_how_to_go_on(world: World, case: Case, ended: Ended) -> None:
    """On screen by the command itself, unless it died at once or had not begun; in ``ls`` in any case."""
    kind, status = world.last()
    begun = kind == case.kind and status != "done"
    if not begun or "web" not in world.names():
        return
    again = f"pymachine {_verb(kind)} web"
    if status == "failed":
        assert f"to go on: {again}" in ended.err, ended
    else:  # it was too late to write anything down: as after kill -9
        assert again in listed(world.run("ls -o json")[0])["web"]["trouble"]


def _goes_on(world: World, case: Case, learnt: Learnt) -> None:
    if world.described() != learnt.end:
        there = world.names()
        (again,) = world.run(case.go_on if there else case.command)
        assert again.code == 0, again
    assert world.described() == learnt.end
    assert world.litter() == set()


def _verb(kind: str) -> str:
    return {"remove": "rm"}.get(kind, kind)
