"""A process that slept through its lease does nothing more when it wakes up, wherever it fell asleep.

The matrix of `test_kill_matrix` once more, with Ctrl-Z instead of ``kill -9``: the operation is taken over and finished
by another process, and then the first one is let go on.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any

import pytest

from tests.faults.nursery import Child, Ended
from tests.faults.points import LOCKED
from tests.faults.sweep import CASES, Case, Sweep, sample
from tests.faults.world import World

POINTS = 25  # of each operation

# Here it has asked whether the operation is its own, and not yet acted: no fence closes this gap, of some microseconds,
# but one at the other side. That one effect happens, and nothing after it.
_BETWEEN = re.compile(
    r"(provider|driver\.\w+)\.\w+ #\d+: before|journal\.record_state #\d+: after"
    r"|os\.rename\(store/|os\.(remove|rmdir)\("
)


@pytest.mark.parametrize("name", CASES)
def test_whoever_was_taken_over_changes_nothing_when_it_wakes_up(sweep: Sweep, name: str) -> None:
    case = CASES[name]
    learnt = sweep.learn(case)

    def asleep(world: World, point: str) -> None:
        child = world.start(case.command, point=point, action="stop")
        world.nursery.wait(child, stopped=True)
        try:
            if world.last() == (case.kind, "running"):
                _is_taken_over(world, case, child)
                before, at_once = _records(world), _things(world)
                woken = _woken(world, child)
                assert woken.code == 1, woken
                assert "taken over by another process" in woken.err, woken
                assert _records(world) == before
                assert _things(world) == at_once or _BETWEEN.match(point)
            else:
                assert "Traceback" not in _woken(world, child).err
        finally:
            world.nursery.end(child)

    awake = [point for point in learnt.all if not point.endswith(LOCKED)]  # nobody writes, then, until it goes on
    sweep.each(learnt, sample(awake, POINTS), asleep)


def _is_taken_over(world: World, case: Case, child: Child) -> None:
    """Refused while the lease holds, taken over when it has run out, and said."""
    (refused,) = world.run(case.go_on)
    assert refused.code == 1, refused
    assert f"process {child.pid}" in refused.err, refused
    with world.database() as db:
        db.execute("UPDATE operations SET heartbeat = heartbeat - 60")
    (taken,) = world.run(case.go_on)
    assert taken.code == 0, taken
    assert f"taken over from process {child.pid}" in taken.said, taken


def _woken(world: World, child: Child) -> Ended:
    world.nursery.resume(child)
    (ended,) = world.nursery.wait(child)
    return ended


def _records(world: World) -> dict[str, Any]:
    """Every row of the store."""
    tables = ("machines", "instances", "operations", "steps", "events", "orphans")
    return {table: [tuple(row) for row in world.rows(f"SELECT * FROM {table}")] for table in tables}


def _things(world: World) -> dict[str, Any]:
    """What the records are about: files, instances, the agent on the host."""
    files = {
        name: hashlib.sha256((world.store / name).read_bytes()).hexdigest()
        for name in world.files()
        if not name.startswith(("logs/", "pymachine.db")) and "/." not in name
    }
    return {"files": files, "cloud": world.cloud.instances(), "agent": world.host.read("agent")}
