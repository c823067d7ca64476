"""The operator's disk is full: the error says so, nothing is lost, and with room again the create goes on."""

from __future__ import annotations

import re
from pathlib import Path

from tests.faults.nursery import Nursery
from tests.faults.sweep import ALL, CASES, Sweep
from tests.faults.tiny_disk import tiny_disk
from tests.faults.world import World

PAGE = 4096
STEP = PAGE if ALL else 2 * PAGE  # the disk grows by so much from one attempt to the next
LARGEST = 200 * PAGE
ROOM = 64 << 20


def test_wherever_the_disk_is_full_the_error_says_so_and_create_goes_on_with_room(
    place: Path, nursery: Nursery, sweep: Sweep, needs_root: None
) -> None:
    case = CASES["create"]
    end = sweep.learn(case).end
    stopped_in = set()
    for size in range(PAGE, LARGEST, STEP):
        world = World(place / f"disk-{size}", nursery)
        with tiny_disk(world.store, size) as disk:
            (ended,) = world.run(case.command)
            if ended.code == 0:
                break
            assert "Traceback" not in ended.said, ended
            assert re.search("No space left|disk is full|no space is left", ended.err), ended
            assert "df -h" in ended.err, ended
            assert len(world.cloud.instances()) <= 1
            disk.resize(ROOM)
            assert world.unrecorded() == []
            stopped_in.add(ended.err.split(": ")[2] if "web: " in ended.err else "before")
            (again,) = world.run(case.go_on if world.names() else case.command)
            assert again.code == 0, again
            assert world.described() == end
            assert world.litter() == set()
            world.ok("rm -y web")
            assert world.cloud.instances() == []
        world.remove()
    else:
        raise AssertionError("the disk was never large enough")
    # As a sample it is one: the disk was full in the database's part of it as in the files'.
    assert {"before", "instance", "converge", "endpoint"} <= stopped_in
