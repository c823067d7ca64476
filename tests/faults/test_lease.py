"""Two commands on one machine: one is at it, the other one is told by whom, and nothing is done twice."""

from __future__ import annotations

import re
import time

import pytest

from tests.faults.nursery import Child
from tests.faults.sweep import MEMORY
from tests.faults.world import World, listed

QUICK = "tests.faults.preludes:quick_heartbeat"
IN_DRIVER = "driver.memory.create #1: after"
SECONDS = 10.0


@pytest.fixture
def asleep(world: World) -> Child:
    """A create that has stopped itself where its instance exists and its record does not know."""
    child = world.start(MEMORY, point=IN_DRIVER, action="stop")
    world.nursery.wait(child, stopped=True)
    return child


def until_begun(world: World, kind: str = "create") -> None:
    """Wait until another process is in the middle of an operation and has asked its provider for something."""
    end = time.monotonic() + SECONDS
    while world.last() != (kind, "running") or not world.cloud.instances():
        assert time.monotonic() < end
        time.sleep(0.005)


@pytest.mark.parametrize("turn", range(5))
def test_of_two_creates_of_one_name_one_wins_and_the_other_names_it(world: World, turn: int) -> None:
    world.cloud.set_latency(0.2)
    children = [world.start(MEMORY), world.start(MEMORY)]
    ended = [world.nursery.wait(child)[0] for child in children]
    winner, loser = sorted((0, 1), key=lambda number: ended[number].code)
    assert ended[winner].code == 0, ended[winner]
    assert ended[loser].code == 1, ended[loser]
    assert '"web" is in the middle of create' in ended[loser].err, ended[loser]
    assert f"process {children[winner].pid} on" in ended[loser].err
    assert len(world.cloud.instances()) == 1
    assert world.last() == ("create", "done")


@pytest.mark.parametrize("command", ["rm -y web", "create web"])
def test_a_command_during_a_create_is_refused_and_told_who_is_at_it(world: World, asleep: Child, command: str) -> None:
    (refused,) = world.run(command)
    assert refused.code == 1
    assert f"process {asleep.pid} on" in refused.err
    assert "pymachine rm -f web" in refused.err
    assert len(world.cloud.instances()) == 1
    world.nursery.resume(asleep)
    assert world.nursery.wait(asleep)[0].code == 0


def test_a_forced_remove_cancels_a_running_create_and_cleans_up(world: World) -> None:
    world.cloud.set_latency(60)
    child = world.start(MEMORY, prelude=QUICK)
    until_begun(world)
    (removed,) = world.run("rm -f web")
    (cancelled,) = world.nursery.wait(child)
    assert removed.code == 0, removed
    assert cancelled.code == 130, cancelled
    assert "another command asked to cancel it" in cancelled.err
    assert world.cloud.instances() == []
    assert world.run("ls -q", "gc --dry-run")[1].out == "Nothing was left behind.\n"


def test_a_forced_remove_waits_for_nobody_who_sleeps_and_fences_him_off(world: World, asleep: Child) -> None:
    removed = world.run("rm -f web", prelude="tests.faults.preludes:short_wait_for_a_cancelled_owner")[0]
    assert removed.code == 0, removed
    world.nursery.resume(asleep)
    (woken,) = world.nursery.wait(asleep)
    assert woken.code == 1
    assert "taken over by another process" in woken.err
    assert world.cloud.instances() == []
    assert world.names() == []


def test_an_owner_on_another_computer_is_replaced_only_after_its_heartbeat_stopped(world: World) -> None:
    (ended,) = world.run(MEMORY, point=IN_DRIVER, action="kill")
    assert ended.killed
    with world.database() as db:  # as if it had run there: its process id says nothing here
        db.execute("UPDATE operations SET owner_host = 'elsewhere'")
    told, refused = world.run("ls -o json", "create web")
    assert "interrupted" not in listed(told)["web"]["trouble"]
    assert refused.code == 1
    assert re.search(r"process \d+ on elsewhere began it", refused.err), refused
    with world.database() as db:
        db.execute("UPDATE operations SET heartbeat = heartbeat - 31")
    told, taken = world.run("ls -o json", "create web")
    assert "create was interrupted" in listed(told)["web"]["trouble"]
    assert taken.code == 0, taken
    assert re.search(r"taken over from process \d+ on elsewhere, silent for 3\d s", taken.out), taken
    assert len(world.cloud.instances()) == 1


def test_a_create_with_other_options_shows_the_difference_and_changes_nothing(world: World) -> None:
    assert world.run(MEMORY, point=IN_DRIVER, action="kill")[0].killed
    (refused,) = world.run("create -d memory --memory-region south web")
    assert refused.code == 1
    assert "options.region: 'north' then, 'south' now" in refused.err, refused
    assert [each.region for each in world.cloud.instances()] == ["north"]
    assert world.run("create web")[0].code == 0


@pytest.mark.parametrize("held", ["by a create", "the write lock"])
def test_who_only_reads_never_waits(world: World, held: str) -> None:
    world.ok(MEMORY)
    readers = ("ls --recorded", "ls -q", "env --shell sh web", "ip web", "url web", "status --recorded web")
    with world.database() as db:
        if held == "the write lock":
            db.execute("BEGIN IMMEDIATE")
            db.execute("UPDATE machines SET state = 'Error'")
        else:
            child = world.start("provision web", point="journal.event #1: after", action="stop")
            world.nursery.wait(child, stopped=True)
        begun = time.monotonic()
        ended = world.ok(*readers)
        assert time.monotonic() - begun < 2.0
        assert "Running" in ended[0].out
        if held == "by a create":
            world.nursery.end(child)
            world.nursery.wait(child)
