"""``kill -9`` of ``fleet apply`` at every point of it, then ``fleet apply``: every machine exists exactly once."""

from __future__ import annotations

import pytest

from tests.faults.shop import APPLY, Shop
from tests.faults.sweep import Learnt, Sweep, sample
from tests.faults.world import World

POINTS = 40  # of some hundred; all of them with KILL_POINTS=all


def _whole_after_a_death(learnt: Learnt, sweep: Sweep, points: list[str], motd: str) -> None:
    def killed(world: World, point: str) -> None:
        child = world.start(APPLY, point=point, action="kill")
        ended = world.nursery.wait(child)
        assert ended[-1].killed, f"not reached: {ended[-1]}"
        assert world.unrecorded() == []
        shop = Shop(world, write=False)
        shop.motd = motd
        shop.apply()
        shop.is_whole()
        before = shop.operations()
        shop.apply()
        assert shop.operations() == before

    sweep.each(learnt, points, killed)


def test_an_apply_that_makes_everything_is_killed_anywhere(sweep: Sweep, world: World) -> None:
    shop = Shop(world)
    learnt = sweep.learn_in(world, APPLY)
    passed = {point.partition(" #")[0] for point in learnt.all}
    assert {"journal.step(files, begun)", "journal.step(commands, begun)", "journal.record_applied"} <= passed
    _whole_after_a_death(learnt, sweep, sample(learnt.different, POINTS), shop.motd)


@pytest.mark.parametrize("what", ["in-place", "replace", "resize"])
def test_an_apply_that_changes_something_is_killed_anywhere(sweep: Sweep, world: World, what: str) -> None:
    shop = Shop(world)
    shop.apply()
    if what == "in-place":
        shop.motd = "another"
        shop.web["engine"] = {"opt": ["log-opt=splunk-token=canary-4711"]}
        shop.web["labels"] = {"tier": "front"}
        shop.db["labels"] = {"tier": "back"}
    elif what == "replace":
        shop.web["machines"] = {"web-2": {"options": {"region": "south"}}}
    else:
        shop.web["machines"] = {"web-1": {"options": {"size": 4}}}
    shop.write()
    learnt = sweep.learn_in(world, APPLY)
    if what == "in-place":
        assert "journal.step(wanted, begun)" in {point.partition(" #")[0] for point in learnt.all}
    _whole_after_a_death(learnt, sweep, sample(learnt.different, POINTS // 2), shop.motd)
