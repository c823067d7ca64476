"""Many machines at once, and how often AWS is asked for them."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.aws.world import QUICK, AwsWorld, left
from tests.testbed.aws.server import AwsServer

POLL = "DescribeInstances"


@pytest.fixture(autouse=True)
def quick(world: AwsWorld) -> None:
    world.prelude = QUICK


def asked(server: AwsServer) -> list[str]:
    """What was asked for since the last time, without the shared polls; STS of an assumed role is the role's."""
    found = [call.action for call in server.calls if call.action not in (POLL, "AssumeRole")]
    server.calls.clear()
    return found


def test_the_first_create_in_a_store_asks_eight_times_and_each_further_one_three(world: AwsWorld) -> None:
    world.ok("create -d aws web-1")
    assert len(asked(world.server)) <= 8
    for number in (2, 3):
        world.ok(f"create -d aws web-{number}")
        assert len(asked(world.server)) <= 3


def test_several_by_one_create_share_what_is_asked_and_the_polls(world: AwsWorld) -> None:
    world.server.timing.pending = 1.0
    world.ok("create -d aws -n 12 web")
    polls = world.server.count(POLL)
    assert len(asked(world.server)) <= 5 + 3 * 12
    assert polls <= 12  # alone, each would look three or four times


def test_fifty_creates_at_once_from_four_processes_all_end_well_and_none_makes_two(world: AwsWorld) -> None:
    world.server.timing.pending = 0.2
    children = [
        world.start(f"create -d aws -n {count} {name}") for name, count in zip("abcd", (13, 13, 12, 12), strict=True)
    ]
    ended = [world.nursery.wait(child)[0] for child in children]
    for each in ended:
        assert each.code == 0, each
    kinds = Counter(name.partition(" ")[0] for name in left(world.server))
    assert kinds == {"instance": 50, "group": 50, "volume": 50, "interface": 50}
    machines = [row["name"] for row in world.rows("SELECT name FROM machines")]
    tags = [tag for each in world.server.backend().all_instances() for tag in each.get_tags()]
    made = [tag["value"] for tag in tags if tag["key"] == "Name"]
    assert sorted(made) == sorted(machines)
    assert len(set(made)) == 50
    assert len(asked(world.server)) <= 3 * 50 + 4 * 5  # each process may look once for what the others note
    (told,) = world.ok("ls")
    assert told.out.count("Running") == 50
    assert [call.action for call in world.server.calls] == [POLL]
    world.ok("rm -y " + " ".join(machines))
    assert left(world.server) == []
