"""``kill -9`` of ``fleet apply`` at every point of it, then ``fleet apply``: every machine exists exactly once."""

from __future__ import annotations

import pytest

from tests.faults.given import GIVEN, Given
from tests.faults.shop import APPLY, HOSTS, Shop
from tests.faults.sweep import Learnt, Sweep, sample
from tests.faults.world import World

POINTS = 40  # of some hundred; all of them with KILL_POINTS=all


def _whole_after_a_death(learnt: Learnt, sweep: Sweep, points: list[str], motd: str, words: str = APPLY) -> None:
    def killed(world: World, point: str) -> None:
        child = world.start(words, point=point, action="kill")
        ended = world.nursery.wait(child)
        assert ended[-1].killed, f"not reached: {ended[-1]}"
        assert world.unrecorded() == []
        shop = Shop(world, write=False)
        shop.motd = motd
        shop.apply(words=words)
        shop.is_whole()
        before = shop.operations()
        shop.apply(words=words)
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


def test_an_apply_that_puts_back_what_was_changed_on_a_host_is_killed_anywhere(sweep: Sweep, world: World) -> None:
    shop = Shop(world)
    shop.apply()
    (shop.root("web-1") / "etc" / "motd").write_text("by hand")
    (shop.root("web-2") / "etc" / "motd").unlink()
    learnt = sweep.learn_in(world, HOSTS)
    assert "journal.step(files, begun)" in {point.partition(" #")[0] for point in learnt.all}
    _whole_after_a_death(learnt, sweep, sample(learnt.different, POINTS // 2), shop.motd, HOSTS)


@pytest.mark.parametrize("driver", ["generic", "none"])
def test_another_way_to_a_given_host_is_killed_anywhere(sweep: Sweep, world: World, driver: str) -> None:
    given = Given(world, driver)
    given.write()
    world.ok(GIVEN)
    given.write(changed=True)
    learnt = sweep.learn_in(world, GIVEN)
    assert "journal.step(access, begun)" in {point.partition(" #")[0] for point in learnt.all}

    def killed(world: World, point: str) -> None:
        ended = world.nursery.wait(world.start(GIVEN, point=point, action="kill"))
        assert ended[-1].killed, f"not reached: {ended[-1]}"
        world.ok(GIVEN)
        assert Given(world, driver).is_as_wanted()
        assert world.described()["cloud"] == []
        assert [row["kind"] for row in world.rows("SELECT kind FROM operations WHERE kind = 'remove'")] == []
        (again,) = world.ok(GIVEN)
        assert "nothing to do" in again.out

    sweep.each(learnt, sample(learnt.different, POINTS // 2), killed)
