"""What goes wrong at AWS while a machine is made or removed: said in one message, and nothing left or made twice."""

from __future__ import annotations

import pytest

from tests.aws.world import QUICK, AwsWorld, launched, left, resources
from tests.faults.nursery import Ended
from tests.testbed.aws.server import AwsServer

CREATE = "create -d aws web"
ELASTIC = "create -d aws --aws-elastic-ip web"
READS = ("GetCallerIdentity", "DescribeInstanceTypes", "GetParameter", "DescribeImages", "DescribeSubnets")
MAKING = (
    "CreateSecurityGroup", "AuthorizeSecurityGroupIngress", "RunInstances", "AllocateAddress", "AssociateAddress",
)  # fmt: skip
TAKING = ("TerminateInstances", "ReleaseAddress", "DeleteSecurityGroup")
LOOKING = ("DescribeInstances", "DescribeAddresses", "DescribeSecurityGroups")
SPOT = {"InstanceMarketOptions.MarketType": "spot"}


@pytest.fixture(autouse=True)
def quick(world: AwsWorld) -> None:
    world.prelude = QUICK


def kinds(server: AwsServer) -> list[str]:
    return sorted(name.partition(" ")[0] for name in left(server))


def failed(ended: Ended, *texts: str, code: int = 1) -> str:
    """It failed with one message that says this, and that tells how to go on."""
    assert ended.code == code, ended
    assert [line[:7] for line in ended.err.splitlines()].count("Error: ") == 1, ended
    assert "Traceback" not in ended.said, ended
    for text in texts:
        assert text in ended.err, ended
    return ended.err


@pytest.mark.parametrize("times", [1, 3])
@pytest.mark.parametrize("action", [*READS, *MAKING, "DescribeInstances"])
def test_a_create_survives_requests_that_are_too_many(world: AwsWorld, action: str, times: int) -> None:
    rule = world.server.fail(action, "RequestLimitExceeded", times=times)
    world.ok(ELASTIC)
    assert rule.done == times
    assert kinds(world.server) == ["address", "group", "instance", "interface", "volume"]
    assert launched(world.server) == 1


@pytest.mark.parametrize("times", [1, 3])
@pytest.mark.parametrize("action", [*TAKING, *LOOKING])
def test_a_remove_survives_requests_that_are_too_many(world: AwsWorld, action: str, times: int) -> None:
    world.ok(ELASTIC)
    rule = world.server.fail(action, "RequestLimitExceeded", times=times)
    world.ok("rm -y web")
    assert rule.done == times
    assert left(world.server) == []


@pytest.mark.parametrize("action", ["StopInstances", "StartInstances"])
@pytest.mark.parametrize("fault", [{"code": "RequestLimitExceeded", "times": 3}, {"drop": True, "after": True}])
def test_stop_and_start_survive_throttling_and_a_lost_reply(world: AwsWorld, action: str, fault: dict) -> None:
    world.ok(CREATE)
    rule = world.server.fail(action, **fault)
    world.ok("stop web", "start web")
    assert rule.done == fault.get("times", 1)
    assert launched(world.server) == 1


@pytest.mark.parametrize("action", MAKING)
@pytest.mark.parametrize("times", [1, None])
def test_a_reply_that_is_lost_after_the_effect_makes_nothing_twice(
    world: AwsWorld, action: str, times: int | None
) -> None:
    rule = world.server.fail(action, drop=True, after=True, times=times)
    (ended,) = world.run(ELASTIC)
    if times is None and action not in ("CreateSecurityGroup", "AllocateAddress"):
        failed(ended, "did not answer", "pymachine create web", "pymachine rm web")
        world.server.heal()
        world.ok("create web")
    else:  # EC2 takes no token for these: what is there is looked for
        assert ended.code == 0, ended
        assert rule.done == 1
    assert kinds(world.server) == ["address", "group", "instance", "interface", "volume"]
    assert launched(world.server) == 1
    world.ok("rm -y web")
    assert left(world.server) == []


@pytest.mark.parametrize("action", ["AuthorizeSecurityGroupIngress", "RunInstances", "AssociateAddress"])
def test_a_reply_that_is_lost_for_good_leaves_nothing_after_rm(world: AwsWorld, action: str) -> None:
    world.server.fail(action, drop=True, after=True, times=None)
    (ended,) = world.run(ELASTIC)
    failed(ended, "did not answer", "pymachine rm web")
    world.server.heal()
    world.ok("rm -y web")
    assert left(world.server) == []


@pytest.mark.parametrize("action", TAKING)
def test_a_remove_whose_reply_is_lost_ends_well(world: AwsWorld, action: str) -> None:
    world.ok(ELASTIC)
    rule = world.server.fail(action, drop=True, after=True)
    world.ok("rm -y web")
    assert rule.done == 1
    assert left(world.server) == []


@pytest.mark.parametrize("action", [*TAKING, *LOOKING])
@pytest.mark.parametrize("code", ["UnauthorizedOperation", "InternalError"])
def test_a_remove_that_is_refused_keeps_the_record_and_says_what_is_left(
    world: AwsWorld, action: str, code: str
) -> None:
    world.ok(ELASTIC)
    world.server.fail(action, code, times=None)
    (ended,) = world.run("rm -y web")
    failed(ended, "pymachine rm web")
    assert world.names() == ["web"]
    if action in TAKING:
        still = set(ended.err.partition("still there: ")[2].split("\n")[0].split(", "))
        there = [name.partition(" ")[2] for name in left(world.server)]
        assert still == {each for each in there if each.startswith(("i-", "eipalloc-", "sg-"))}
    world.server.heal()
    world.ok("rm -y web")
    assert left(world.server) == []


@pytest.mark.parametrize("options", ["", "--aws-elastic-ip"])
@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("InsufficientInstanceCapacity", "no capacity"),
        ("VcpuLimitExceeded", "Service Quotas"),
        ("Unsupported", "--aws-instance-type"),
        ("InvalidParameterValue", "pymachine create -d aws --help"),
        ("OptInRequired", "Marketplace"),
        ("PendingVerification", "four hours"),
        ("UnauthorizedOperation", "pymachine drivers check aws"),
    ],
)
def test_what_ec2_refuses_for_good_leaves_nothing_in_the_account_and_can_be_gone_on_with(
    world: AwsWorld, code: str, says: str, options: str
) -> None:
    world.server.fail("RunInstances", code, times=None)
    (ended,) = world.run(f"create -d aws {options} web")
    failed(ended, says, "pymachine create web")
    assert left(world.server) == []
    world.server.heal()
    world.ok("create web")
    assert launched(world.server) == 1
    world.ok("rm -y web")
    assert left(world.server) == []


@pytest.mark.parametrize("limit", ["SecurityGroupLimitExceeded", "AddressLimitExceeded"])
def test_a_quota_of_what_stands_around_the_instance_leaves_nothing(world: AwsWorld, limit: str) -> None:
    action = "CreateSecurityGroup" if limit.startswith("Security") else "AllocateAddress"
    world.server.fail(action, limit, times=None)
    (ended,) = world.run(ELASTIC)
    failed(ended, "Service Quotas", "pymachine create web")
    assert left(world.server) == []
    assert launched(world.server) == 0
    world.server.heal()
    world.ok("create web", "rm -y web")
    assert left(world.server) == []


def test_a_group_whose_rules_are_refused_for_good_is_not_left(world: AwsWorld) -> None:
    world.server.fail("AuthorizeSecurityGroupIngress", "RulesPerSecurityGroupLimitExceeded", times=None)
    (ended,) = world.run(CREATE)
    failed(ended, "did not make a security group", "pymachine create web")
    assert left(world.server) == []
    world.server.heal()
    world.ok("create web", "rm -y web")
    assert left(world.server) == []


def test_where_the_spot_market_has_none_the_next_attempt_has_a_token_of_its_own(world: AwsWorld) -> None:
    world.server.fail("RunInstances", "InsufficientInstanceCapacity", times=None, when=SPOT)
    world.ok("create -d aws --aws-spot --aws-spot-fallback web")
    calls = [call.params for call in world.server.calls if call.action == "RunInstances"]
    assert len({each["ClientToken"] for each in calls}) == len(calls) > 1
    assert [each.get("InstanceMarketOptions.MarketType") for each in calls].count(None) == 1
    assert launched(world.server) == 1


def test_a_create_that_is_repeated_after_there_was_no_capacity_begins_with_the_first_choice_again(
    world: AwsWorld,
) -> None:
    world.server.fail("RunInstances", "InsufficientInstanceCapacity", times=None)
    (ended,) = world.run("create -d aws --aws-spot --aws-spot-fallback web")
    failed(ended, "no capacity", "pymachine create web")
    world.server.heal()
    world.ok("create web")
    (instance,) = world.server.backend().all_instances()
    assert instance.lifecycle == "spot"


@pytest.mark.parametrize("command", [CREATE, ELASTIC])
@pytest.mark.parametrize("descriptions", [1, 3])
def test_an_instance_that_is_not_listed_at_once_is_waited_for(world: AwsWorld, command: str, descriptions: int) -> None:
    world.server.lag(descriptions)
    world.server.fail("AssociateAddress", "InvalidInstanceID.NotFound", times=2)
    world.ok(command)
    assert launched(world.server) == 1


@pytest.mark.parametrize("point", ["ec2.RunInstances #1: after", "journal.record_resource #N: after"])
@pytest.mark.parametrize("options", ["", "--aws-security-group mine"])
@pytest.mark.parametrize("go_on", [True, False])
def test_an_instance_that_is_not_listed_when_its_create_was_killed_is_not_lost(
    world: AwsWorld, point: str, options: str, go_on: bool
) -> None:
    world.server.backend().create_security_group("mine", "of my own", vpc_id=None)
    world.server.lag(2)
    world.prelude = "tests.aws.child:watched_and_patient"
    point = point.replace("N", "3" if options else "4")  # of the writes that one which knows the instance's id
    (ended,) = world.run(f"create -d aws {options} web", point=point, action="kill")
    assert ended.killed, ended
    if go_on:
        world.ok("create web")
        assert launched(world.server) == 1
    world.ok("rm -y web")
    assert launched(world.server) == 1
    assert [name for name, tags in resources(world.server) if tags] == []


def test_an_instance_that_dies_while_booting_is_told_and_replaced_by_the_next_create(world: AwsWorld) -> None:
    world.server.timing.pending = 60.0
    child = world.start(CREATE)
    _await_launch(world.server)
    (instance,) = world.server.backend().all_instances()
    from tests.testbed.aws.truths.lifecycle import terminate

    terminate(instance, "Client.VolumeLimitExceeded", "Client.VolumeLimitExceeded: Volume limit exceeded")
    (ended,) = world.nursery.wait(child)
    failed(ended, instance.id, "Client.VolumeLimitExceeded", "pymachine create web")
    world.server.timing.pending = 0.0
    world.ok("create web")
    assert launched(world.server) == 2
    assert kinds(world.server).count("instance") == kinds(world.server).count("group") == 1
    world.ok("rm -y web")
    assert left(world.server) == []


def _await_launch(server: AwsServer) -> None:
    import time

    deadline = time.monotonic() + 20
    while not server.backend().all_instances():
        assert time.monotonic() < deadline
        time.sleep(0.01)
