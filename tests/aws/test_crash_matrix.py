"""``kill -9`` at every call to AWS and every write of the journal: nothing is left, nothing is lost, nothing is twice.

The points come from a run that goes well, so a new call is in here the day it is written.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from tests.aws.world import AwsWorld, clear, launched, left
from tests.faults.sweep import ALL

pytestmark = pytest.mark.timeout(1800 if ALL else 300)


@dataclass(frozen=True)
class Case:
    """One operation, and what must have happened before it."""

    command: str
    again: str
    before: tuple[str, ...] = ()
    full: str = ""  # the market that has no capacity; both: EC2 refuses, until the operation has ended


CREATE = "create -d aws web"
CASES = {
    "create": Case(CREATE, "create web"),
    "create-elastic-ip": Case("create -d aws --aws-elastic-ip web", "create web"),
    "create-spot-fallback": Case("create -d aws --aws-spot --aws-spot-fallback web", "create web", full="spot"),
    "create-refused": Case("create -d aws --aws-elastic-ip web", "create web", full="both"),
    "stop": Case("stop web", "stop web", (CREATE,)),
    "start": Case("start web", "start web", (CREATE, "stop web")),
    "rm": Case("rm -y web", "rm -y web", ("create -d aws --aws-elastic-ip web",)),
}
_READS = ("Describe", "Get")


def _repeated(world: AwsWorld, case: Case) -> None:
    """The same command again ends well, with one instance; and then it can be removed."""
    there = world.names()
    if case.command.startswith("rm") and not there:
        return  # it was killed after its end
    (again,) = world.run(case.again if there else case.command)
    assert again.code == 0 or 'a machine "web" exists' in again.err, again
    if not case.command.startswith("rm"):
        assert [name.partition(" ")[0] for name in left(world.server)].count("instance") == 1
        world.ok("rm -y web")


def _removed(world: AwsWorld, case: Case) -> None:
    """``rm`` takes everything away."""
    if world.names():
        world.ok("rm -y web")


def _forgotten(world: AwsWorld, case: Case) -> None:
    """AWS refuses, the record goes all the same, and ``gc`` finds what was recorded."""
    if not world.names():
        return
    world.server.fail("*", "UnauthorizedOperation", service="ec2", times=None)
    world.run("rm -f web")
    assert world.names() == []
    world.server.heal()
    world.ok("gc -y")


def _found_by_marks(world: AwsWorld, case: Case) -> None:
    """The record is lost with all that was known of it, and ``gc`` finds what carries the store's marks."""
    if not world.begun:
        return
    with world.database() as db:
        db.execute("PRAGMA foreign_keys = ON")
        db.execute("DELETE FROM machines")
        db.execute("DELETE FROM orphans")
    world.ok("gc -y")


AFTERWARDS: dict[str, Callable[[AwsWorld, Case], None]] = {
    "repeated": _repeated, "removed": _removed, "forgotten": _forgotten, "found-by-marks": _found_by_marks,
}  # fmt: skip


@pytest.mark.parametrize("afterwards", AFTERWARDS)
@pytest.mark.parametrize("name", CASES)
def test_killed_anywhere_it_leaves_nothing_loses_nothing_and_makes_nothing_twice(
    world: AwsWorld, name: str, afterwards: str
) -> None:
    case = CASES[name]
    world.ok(CREATE, "rm -y web")  # a store that knows image, type and subnet, and has its authority
    server, numbers = world.server, itertools.count()

    def copied() -> AwsWorld:
        server.heal()
        copy = world.copy(world.directory.with_name(f"world-{next(numbers)}"))
        if case.before:
            copy.ok(*case.before)
        if case.full:
            spot = {"InstanceMarketOptions.MarketType": "spot"} if case.full == "spot" else None
            server.fail("RunInstances", "InsufficientInstanceCapacity", times=None, when=spot)
        return copy

    clean = copied()
    child = clean.start(case.command, record=True)
    (ended,) = clean.nursery.wait(child)
    assert ended.code == (1 if case.full == "both" else 0), ended
    points = _chosen(clean.nursery.points(child), all_states=afterwards in ("repeated", "removed"))
    assert len(points) >= 3
    if clean.names():
        clean.ok("rm -y web")
    failures = []
    for point in points:
        killed = copied()
        before = launched(server) - (1 if case.before else 0)
        try:
            (ended,) = killed.run(case.command, point=point, action="kill")
            assert ended.killed, f"not reached: {ended}"
            assert killed.tokens() <= killed.recorded_tokens()
            if case.full == "both":
                server.heal()
            AFTERWARDS[afterwards](killed, case)
            assert left(server) == []
            assert killed.names() == [] or afterwards == "found-by-marks"
            assert launched(server) - before <= 1
        except AssertionError as error:
            failures.append(f"--- {point}: {str(error)[:1500]}")
            clear(server)
        finally:
            killed.remove()
    assert not failures, f"{len(failures)} of {len(points)} points:\n" + "\n".join(failures[:10])


def _chosen(passed: list[tuple[str, str]], *, all_states: bool) -> list[str]:
    """One point for each state that a death can leave, here and at AWS; every point, when KILL_POINTS=all.

    What follows the instance is the same for every driver, and killed everywhere by the matrix of the memory driver. Of
    the rest, the ways of cleaning up that differ little see the points around an effect and every third other.
    """
    if ALL:
        return [point for point, _ in passed]
    states: dict[tuple[str, int], str] = {}
    effects, chosen = 0, []
    for point, fingerprint in passed:
        is_call = "." in point and point.partition(".")[0] in ("ec2", "ssm", "sts")
        is_effect = is_call and not point.partition(".")[2].startswith(_READS)
        if is_effect and ": after" in point:
            effects += 1
        state = (fingerprint, effects)
        if state not in states:
            states[state] = point
            if all_states or is_effect or len(states) % 3 == 0:
                chosen.append(point)
        if "step(instance, " in point and "begun" not in point and ": after" in point:
            break
    return chosen
