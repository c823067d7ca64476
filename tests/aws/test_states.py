"""What became of an instance behind our back, and what must never be taken for that."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import boto3
import pytest

from tests.aws.world import QUICK, AwsWorld, left
from tests.faults.nursery import Ended
from tests.faults.world import listed
from tests.testbed.aws.server import REGION


@pytest.fixture(autouse=True)
def quick(world: AwsWorld) -> None:
    world.prelude = QUICK


def the_instance(world: AwsWorld) -> str:
    (instance,) = world.server.backend().all_instances()
    return str(instance.id)


def state(world: AwsWorld) -> str:
    """What ``ls`` and ``status`` say: the same."""
    told, status = world.ok("ls -o json", "status web")
    (seen,) = listed(told).values()
    assert status.out.strip() == seen["state"]
    return str(seen["state"])


def as_docker_machine(world: AwsWorld, *arguments: str) -> str:
    """What scripts see that know docker-machine's words only."""
    line = "import sys; sys.argv[0] = 'docker-machine'; from machine.hot import main; raise SystemExit(main())"
    done = subprocess.run(
        [sys.executable, "-c", line, "-s", str(world.store), *arguments],
        env={**os.environ, **world.environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def outside(world: AwsWorld) -> object:
    """AWS as somebody else has it."""
    return boto3.client("ec2", endpoint_url=world.server.url, region_name=REGION)


@pytest.mark.parametrize("settled", [True, False])
def test_a_spot_instance_that_was_taken_back_is_preempted_and_rm_says_that_it_is_gone(
    world: AwsWorld, settled: bool
) -> None:
    world.ok("create -d aws --aws-spot web")
    if not settled:
        world.server.timing.shutting_down = 3600.0
    world.server.preempt(the_instance(world))
    assert state(world) == "Preempted"
    assert "Preempted" in world.ok("ls")[0].out
    assert as_docker_machine(world, "status", "web") == "Stopped\n"
    world.server.settle()
    (removed,) = world.ok("rm -y web")
    assert "gone already" in removed.said
    assert left(world.server) == []
    assert world.names() == []


@pytest.mark.parametrize("listed_still", [True, False])
def test_an_instance_that_was_terminated_behind_our_back_is_gone_and_rm_removes_the_rest(
    world: AwsWorld, listed_still: bool
) -> None:
    world.ok("create -d aws --aws-elastic-ip web")
    world.server.timing.terminated_visible = 3600.0 if listed_still else 0.0
    outside(world).terminate_instances(InstanceIds=[the_instance(world)])
    world.server.settle()
    assert state(world) == "Gone"
    (started,) = world.run("start web")
    assert started.code == 1
    assert "is gone" in started.err
    (removed,) = world.ok("rm -y web")
    assert "gone already" in removed.said
    assert left(world.server) == []


def test_a_machine_of_which_nothing_is_left_is_removed_and_that_is_said(world: AwsWorld) -> None:
    world.ok("create -d aws web")
    ec2 = outside(world)
    ec2.terminate_instances(InstanceIds=[the_instance(world)])
    world.server.settle()
    (group,) = [name.partition(" ")[2] for name in left(world.server)]
    ec2.delete_security_group(GroupId=group)
    (removed,) = world.ok("rm -y web")
    assert "gone already" in removed.said
    assert world.names() == []


def protected(world: AwsWorld, ended: Ended) -> None:
    instance = the_instance(world)
    assert ended.code == 1, ended
    assert f"still there: {instance}" in ended.err
    assert "--no-disable-api-termination" in ended.err
    assert instance in ended.err.partition("next:")[2]
    assert "pymachine rm web" in ended.err
    assert world.names() == ["web"]


def test_rm_of_a_protected_instance_keeps_all_and_says_how_to_go_on(world: AwsWorld) -> None:
    world.ok("create -d aws --aws-termination-protection web")
    before = left(world.server)
    protected(world, world.run("rm -y web")[0])
    assert left(world.server) == before
    assert state(world) == "Running"
    outside(world).modify_instance_attribute(InstanceId=the_instance(world), DisableApiTermination={"Value": False})
    world.ok("rm -y web")
    assert left(world.server) == []


def test_rm_f_of_a_protected_instance_forgets_the_record_and_gc_removes_it_later(world: AwsWorld) -> None:
    world.ok("create -d aws --aws-termination-protection web")
    (forced,) = world.run("rm -f web")
    assert forced.code == 1
    assert the_instance(world) in forced.said
    assert world.names() == []
    (refused,) = world.run("gc -y")
    assert refused.code == 1
    assert "--no-disable-api-termination" in refused.err
    outside(world).modify_instance_attribute(InstanceId=the_instance(world), DisableApiTermination={"Value": False})
    world.ok("gc -y")
    assert left(world.server) == []


def test_stop_of_a_protected_instance_is_refused_and_it_still_runs(world: AwsWorld) -> None:
    world.ok("create -d aws --aws-stop-protection web")
    (stopped,) = world.run("stop web")
    assert stopped.code == 1
    assert "--no-disable-api-stop" in stopped.err
    assert state(world) == "Running"


def test_a_spot_instance_cannot_be_stopped_and_that_is_said(world: AwsWorld) -> None:
    world.ok("create -d aws --aws-spot web")
    (stopped,) = world.run("stop web")
    assert stopped.code == 1
    assert "spot" in stopped.err.lower()
    assert "pymachine rm" in stopped.err
    assert state(world) == "Running"


@pytest.mark.parametrize(
    "fault",
    [
        {"code": "RequestLimitExceeded"}, {"code": "UnauthorizedOperation"}, {"code": "AuthFailure"},
        {"code": "InternalError"}, {"drop": True},
    ],
    ids=str,
)  # fmt: skip
def test_an_api_that_does_not_answer_says_nothing_of_a_machine(world: AwsWorld, fault: dict) -> None:
    world.ok("create -d aws web")
    before = left(world.server)
    world.server.fail("*", times=None, **fault)
    (told,) = world.run("ls -o json --timeout 8")
    (seen,) = json.loads(told.out)
    assert seen["state"] not in ("Gone", "Preempted", "Stopped")
    assert seen["trouble"]
    (removed,) = world.run("rm -y web")
    assert removed.code == 1, removed
    assert world.names() == ["web"]
    world.server.heal()
    assert left(world.server) == before
    assert state(world) == "Running"


def test_a_host_that_does_not_answer_is_not_gone(world: AwsWorld) -> None:
    world.ok("create -d aws web")
    world.prelude = "tests.aws.child:no_host_answers"
    (seen,) = listed(world.ok("ls -o json")[0]).values()
    assert seen["state"] == "Running"
    assert "unreachable" in seen["trouble"]
