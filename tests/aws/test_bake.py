"""``pymachine bake`` at an EC2 whose instances are records: one image, found, used and removed, whatever goes wrong."""

from __future__ import annotations

import base64
import itertools
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from email import message_from_bytes
from typing import Any

import boto3
import pytest

from tests.aws.world import STORE, AwsWorld, clear, left, resources
from tests.faults.sweep import ALL
from tests.testbed.aws.server import ACCOUNT, AwsServer

BAKE = "bake -d aws web"
_READS = ("Describe", "Get")


@pytest.fixture
def ec2(aws: AwsServer) -> Iterator[Any]:
    made = boto3.session.Session().client("ec2")
    yield made
    made.close()


def kinds(server: AwsServer) -> list[str]:
    """What is there, by its kind."""
    return sorted(name.partition(" ")[0] for name in left(server))


def images(server: AwsServer) -> list[str]:
    return [name.partition(" ")[2] for name in left(server) if name.startswith("image ")]


def remove_images(server: AwsServer) -> None:
    """Behind everybody's back."""
    backend = server.backend()
    for image in [each for each in backend.amis.values() if each.owner_id == ACCOUNT]:
        del backend.amis[image.id]
        backend.snapshots.pop(image.ebs_snapshot.id, None)


def used(world: AwsWorld, *options: str) -> str:
    """The image that a create takes."""
    world.ok(" ".join(("create -d aws", *options, "used")))
    (instance,) = [each for each in world.server.backend().all_instances() if each.state == "running"]
    world.ok("rm -y used")
    return str(instance.image_id)


def test_a_bake_leaves_one_image_with_its_snapshot_and_nothing_else(world: AwsWorld) -> None:
    (ended,) = world.ok(BAKE)
    assert kinds(world.server) == ["image", "snapshot"]
    (image,) = images(world.server)
    assert f"The image web is ready: {image}" in ended.out
    assert world.names() == []
    for _, tags in resources(world.server):
        assert (tags["pymachine:baked"], tags["pymachine:user"], tags["Name"]) == ("web", "admin", "web")
        assert (tags["pymachine:machine"], bool(tags[STORE])) == ("bake-web", True)
    listed, collected = world.ok("bake ls", "gc -y")
    assert image in listed.out
    assert collected.out == "Nothing was left behind.\n"
    world.ok("bake rm -y web")
    assert left(world.server) == []


def test_a_baked_image_is_used_by_its_name_and_the_newest_without_one(world: AwsWorld) -> None:
    world.ok(BAKE)
    (first,) = images(world.server)
    world.ok("bake -d aws api", "bake -d aws --aws-instance-type t4g.micro arm")
    second, third = (each for each in images(world.server) if each != first)
    backend = world.server.backend()
    for number, image in enumerate((first, second, third)):
        backend.amis[image].creation_date = datetime(2026, 1, number + 1, tzinfo=timezone.utc)
    assert used(world, "--aws-ami baked") == second
    assert used(world, "--aws-ami baked:web") == first
    assert used(world, "--aws-ami baked --aws-instance-type t4g.micro") == third
    (refused,) = world.run("create -d aws --aws-ami baked:arm x")
    assert refused.code == 3
    assert "there is no baked image arm for x86_64 in eu-central-1; there are 1 for another architecture" in refused.err
    assert "pymachine bake arm -d aws" in refused.err
    assert world.names() == []


def test_a_removed_image_is_never_used_and_an_operator_is_told_to_bake(world: AwsWorld) -> None:
    world.ok(BAKE)
    assert used(world, "--aws-ami baked") in images(world.server)
    world.ok("bake rm -y web")
    world.server.calls.clear()
    (refused,) = world.run("create -d aws --aws-ami baked x")
    assert refused.code == 3
    assert "there is no baked image for x86_64 in eu-central-1" in refused.err
    assert "pymachine bake -d aws" in refused.err
    assert (world.server.count("RunInstances"), left(world.server), world.names()) == (0, [], [])


def test_the_image_of_another_store_is_not_ours(world: AwsWorld) -> None:
    world.ok(BAKE)
    other = AwsWorld(world.directory.with_name("other"), world.nursery, world.server)
    (refused, listed) = other.run("create -d aws --aws-ami baked x", "bake ls")
    assert refused.code == 3
    assert len(listed.out.splitlines()) == 1


def test_who_logs_in_is_known_and_no_engine_is_begun_early(world: AwsWorld) -> None:
    world.ok("bake -d aws --aws-image ubuntu-24.04 u")
    world.ok("create -d aws --aws-ami baked web", "create -d aws plain")
    assert [row["access"].count('"ubuntu"') for row in world.rows("SELECT access FROM instances ORDER BY rowid")] == [
        1,
        0,
    ]
    baked, plain = [each for each in world.server.backend().all_instances() if each.state == "running"]
    assert "pymachine-engine" in user_data(plain)
    assert "pymachine-engine" not in user_data(baked)


def user_data(instance: Any) -> str:
    """All parts of it, in clear."""
    document = message_from_bytes(base64.b64decode(str(instance.user_data)))
    return "\n".join(str(part.get_payload(decode=True) or b"") for part in document.walk())


def test_gc_takes_nothing_for_ours_that_has_a_machines_tags_as_a_backup_has(world: AwsWorld, ec2: Any) -> None:
    world.ok("create -d aws web")
    (instance,) = world.server.backend().all_instances()
    tags = [{"Key": each["key"], "Value": each["value"]} for each in instance.get_tags()]
    volume = next(iter(world.server.backend().describe_volumes())).id
    backup = [{"ResourceType": "snapshot", "Tags": tags}]
    kept = ec2.create_snapshot(VolumeId=volume, TagSpecifications=backup)["SnapshotId"]
    world.ok("rm -y web", "gc -y")
    assert left(world.server) == [f"snapshot {kept}"]


def test_an_unfinished_image_goes_with_its_machine(world: AwsWorld) -> None:
    world.server.fail("CreateTags", "UnauthorizedOperation")
    (failed,) = world.run(BAKE)
    assert failed.code == 1
    assert "to go on: pymachine bake web; to clean up: pymachine rm bake-web" in failed.err
    assert "image" in kinds(world.server)
    (listed, spared) = world.ok("bake ls", "gc -y")
    assert len(listed.out.splitlines()) == 1
    assert spared.out == "Nothing was left behind.\n", "gc leaves alone what belongs to a machine"
    world.ok("rm -y bake-web")
    assert left(world.server) == []


@pytest.mark.parametrize(
    "fault",
    [
        {"drop": True},
        {"drop": True, "after": True},
        {"code": "InternalError"},
        {"code": "InternalError", "after": True},
        {"code": "RequestLimitExceeded"},
    ],
    ids=lambda fault: "-".join(map(str, fault.values())),
)
def test_an_image_that_is_asked_for_without_an_answer_is_made_once(world: AwsWorld, fault: dict[str, Any]) -> None:
    world.server.fail("CreateImage", times=2, **fault)
    world.ok(BAKE)
    assert kinds(world.server) == ["image", "snapshot"]


def test_a_bake_that_fails_while_its_machine_is_made_says_how_to_go_on(world: AwsWorld) -> None:
    world.server.fail("RunInstances", "InsufficientInstanceCapacity", times=None)
    (failed,) = world.run(BAKE)
    assert failed.code == 1
    assert "to go on: pymachine bake web; to clean up: pymachine rm bake-web" in failed.err
    world.server.heal()
    world.ok("bake web")
    assert kinds(world.server) == ["image", "snapshot"]


def test_an_image_that_fails_is_said_and_made_anew_by_a_repeat(world: AwsWorld) -> None:
    world.server.timing.image_pending = 3600
    assert world.run(BAKE, point="ec2.CreateImage #1: after", action="kill")[0].killed
    (failed,) = [each for each in world.server.backend().amis.values() if each.owner_id == ACCOUNT]
    failed.state = "failed"
    world.server.timing.image_pending = 0.0
    world.ok("bake web")
    (made,) = images(world.server)
    assert made != failed.id
    assert kinds(world.server) == ["image", "snapshot"]


def _points(world: AwsWorld, command: str, begins: str, *, stride: int) -> list[str]:
    """Around each effect at AWS, and of what differs on the disk one in so many; all of them, when KILL_POINTS=all."""
    child = world.start(command, record=True)
    (ended,) = world.nursery.wait(child)
    assert ended.code == 0, ended
    passed = list(itertools.dropwhile(lambda each: begins not in each[0], world.nursery.points(child)))
    if ALL:
        return [point for point, _ in passed]
    effects = [
        point for point, _ in passed if point.startswith("ec2.") and not point.partition(".")[2].startswith(_READS)
    ]
    states = list({fingerprint: point for point, fingerprint in reversed(passed)}.values())
    return [point for point, _ in passed if point in {*effects, *states[::stride]}]


def _repeated(world: AwsWorld) -> None:
    """The same command ends well, with one image; where there is nothing left to go on with, that was its end."""
    if world.names() or not images(world.server):
        world.ok(BAKE)
    assert kinds(world.server) == ["image", "snapshot"]


def _removed(world: AwsWorld) -> None:
    """``rm`` of the temporary machine, where it is still there, leaves an image that is finished or none."""
    if world.names():
        world.ok("rm -y bake-web")
    _finished_or_none(world)


def _forgotten(world: AwsWorld) -> None:
    """The record is lost, and ``gc`` finds all that is not finished by its marks."""
    with world.database() as db:
        db.execute("PRAGMA foreign_keys = ON")
        db.execute("DELETE FROM machines")
    world.ok("gc -y")
    _finished_or_none(world)


def _finished_or_none(world: AwsWorld) -> None:
    assert kinds(world.server) in ([], ["image", "snapshot"])
    (listed,) = world.ok("bake ls")
    assert [each in listed.out for each in images(world.server)] == [True] * len(images(world.server))
    world.ok("gc -y")
    assert kinds(world.server) in ([], ["image", "snapshot"])


@pytest.mark.parametrize("afterwards", [_repeated, _removed, _forgotten])
def test_killed_anywhere_a_bake_goes_on_or_is_cleaned_up(
    world: AwsWorld, afterwards: Callable[[AwsWorld], None]
) -> None:
    world.ok("create -d aws web", "rm -y web")  # a store that has its authority, and knows type and subnet
    before = world.copy(world.directory.with_name("before"))
    points = _points(world, BAKE, "journal.step(clean, begun)", stride=4)
    assert {"ec2.CreateImage #1: after", "ec2.CreateTags #1: before"} < set(points)
    failures = []
    for number, point in enumerate(points):
        remove_images(world.server)
        killed = before.copy(world.directory.with_name(f"killed-{number}"))
        try:
            (ended,) = killed.run(BAKE, point=point, action="kill")
            assert ended.killed, f"not reached: {ended}"
            afterwards(killed)
        except AssertionError as error:
            failures.append(f"--- {point}: {str(error)[:1500]}")
            remove_images(world.server)
            clear(world.server)
        finally:
            killed.remove()
    assert not failures, f"{len(failures)} of {len(points)} points:\n" + "\n".join(failures[:10])


def test_killed_anywhere_the_removal_of_an_image_can_be_repeated_or_gc_ends_it(world: AwsWorld) -> None:
    world.ok(BAKE)
    before = world.copy(world.directory.with_name("before"))
    points = _points(world, "bake rm -y web", "driver.aws.unbake", stride=1)
    assert {"ec2.DeleteTags #1: after", "ec2.DeregisterImage #1: after"} < set(points)
    for number, point in enumerate(points):
        killed = before.copy(world.directory.with_name(f"killed-{number}"))
        killed.ok(BAKE)
        assert killed.run("bake rm -y web", point=point, action="kill")[0].killed
        killed.run("bake rm -y web")  # there may be nothing of that name any more
        killed.ok("gc -y")
        assert left(world.server) == [], point
        killed.remove()


def test_a_machine_of_somebodys_is_never_taken_for_the_temporary_one(world: AwsWorld) -> None:
    world.ok("create -d aws bake-web")
    (refused,) = world.run(BAKE)
    assert refused.code == 1
    assert '"bake-web" is the name of a machine of yours' in refused.err
    assert world.names() == ["bake-web"]
    assert kinds(world.server).count("instance") == 1
    world.ok("bake -d aws other", "rm -y bake-web")


def test_a_bake_goes_on_with_what_was_asked_and_with_nothing_else(world: AwsWorld) -> None:
    assert world.run(BAKE, point="ec2.CreateImage #1: before", action="kill")[0].killed
    (refused,) = world.run("bake -d aws --aws-instance-type t3.large web")
    assert refused.code == 1
    assert "was begun with other options" in refused.err
    (ended,) = world.ok("bake web")
    assert "Going on with web (aws)" in ended.out
    assert kinds(world.server) == ["image", "snapshot"]


def test_a_host_that_is_perhaps_clean_is_made_anew(world: AwsWorld) -> None:
    assert world.run(BAKE, point="journal.step(instance, begun) #2: before", action="kill")[0].killed
    (first,) = [each.id for each in world.server.backend().all_instances()]
    world.ok(BAKE)
    made = [each.id for each in world.server.backend().all_instances()]
    assert len(made) == 2, "another machine"
    assert first in made
    assert kinds(world.server) == ["image", "snapshot"]


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ("bake -d none --url tcp://192.0.2.9:2375", 3, "the driver none makes no images"),
        ("bake", 1, "who makes the host is not said"),
        ("bake -d aws a_b", 1, "an image cannot be called 'a_b'"),
        ("bake -d aws a b", 1, "one name, or ls, or rm and names"),
        ("bake rm", 1, "one name, or ls, or rm and names"),
        ("bake rm -y nope", 1, "there is no baked image nope"),
        ("bake -d aws --engine-label a=b x", 1, "No such option"),
    ],
)
def test_a_wrong_line_gets_one_message_and_makes_nothing(world: AwsWorld, line: str, code: int, said: str) -> None:
    (ended,) = world.run(line)
    assert (ended.code, said in ended.err) == (code, True), ended
    assert (world.names(), left(world.server)) == ([], [])
