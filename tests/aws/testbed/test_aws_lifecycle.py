"""Instances of the testbed take time, keep to their states and let go of what they used, as EC2's do."""

from __future__ import annotations

import base64
import math
from collections.abc import Callable
from typing import Any

import pytest

from tests.aws.testbed.refused import refused
from tests.testbed.aws import AwsServer

Launch = Callable[..., Any]


@pytest.fixture
def slow(aws: AwsServer) -> AwsServer:
    """States last until the test ends them."""
    aws.timing.pending = aws.timing.stopping = aws.timing.shutting_down = aws.timing.image_pending = math.inf
    return aws


@pytest.fixture
def running(aws: AwsServer, launch: Launch) -> str:
    """A running instance's id."""
    made = launch()["InstanceId"]
    aws.settle()
    return made


def seen(ec2: Any, id: str) -> Any:
    return ec2.describe_instances(InstanceIds=[id])["Reservations"][0]["Instances"][0]


def state(ec2: Any, id: str) -> str:
    return seen(ec2, id)["State"]["Name"]


def stopped(aws: AwsServer, ec2: Any, id: str) -> str:
    ec2.stop_instances(InstanceIds=[id])
    aws.settle()
    return id


class TestStates:
    def test_each_is_seen_and_then_over(self, slow: AwsServer, ec2: Any, launch: Launch) -> None:
        made = launch()["InstanceId"]
        passed = [state(ec2, made)]
        for move in (None, ec2.stop_instances, ec2.start_instances, ec2.terminate_instances):
            if move is not None:
                move(InstanceIds=[made])
                passed.append(state(ec2, made))
            slow.settle()
            passed.append(state(ec2, made))
        assert passed == [
            "pending", "running", "stopping", "stopped", "pending", "running", "shutting-down", "terminated",
        ]  # fmt: skip

    def test_they_end_by_themselves(self, aws: AwsServer, ec2: Any, launch: Launch) -> None:
        made = launch()["InstanceId"]
        ec2.get_waiter("instance_running").wait(InstanceIds=[made], WaiterConfig={"Delay": 1, "MaxAttempts": 5})
        ec2.terminate_instances(InstanceIds=[made])
        aws.await_state(made, "terminated", within=5)

    def test_replies_say_what_was_and_what_is(self, slow: AwsServer, ec2: Any, running: str) -> None:
        (said,) = ec2.stop_instances(InstanceIds=[running])["StoppingInstances"]
        assert (said["PreviousState"]["Name"], said["CurrentState"]["Name"]) == ("running", "stopping")

    def test_doing_it_twice_is_fine(self, aws: AwsServer, ec2: Any, running: str) -> None:
        ec2.start_instances(InstanceIds=[running])
        stopped(aws, ec2, running)
        ec2.stop_instances(InstanceIds=[running])
        for _ in range(2):
            ec2.terminate_instances(InstanceIds=[running])
            aws.settle()
        assert state(ec2, running) == "terminated"

    def test_a_terminated_instance_has_lost_everything_but_its_tags(
        self, aws: AwsServer, ec2: Any, launch: Launch
    ) -> None:
        tags = [{"ResourceType": "instance", "Tags": [{"Key": "k", "Value": "v"}]}]
        made = launch(TagSpecifications=tags)["InstanceId"]
        ec2.terminate_instances(InstanceIds=[made])
        aws.settle()
        gone = seen(ec2, made)
        assert not {"PublicIpAddress", "PrivateIpAddress", "SubnetId", "VpcId"} & set(gone)
        assert gone["BlockDeviceMappings"] == gone["SecurityGroups"] == []
        assert gone["Tags"] == [{"Key": "k", "Value": "v"}]
        assert ec2.describe_volumes()["Volumes"] == []
        assert ec2.describe_network_interfaces()["NetworkInterfaces"] == []

    def test_it_is_forgotten_after_a_while(self, aws: AwsServer, ec2: Any, running: str) -> None:
        aws.timing.terminated_visible = 0
        ec2.terminate_instances(InstanceIds=[running])
        aws.settle()
        with refused("InvalidInstanceID.NotFound"):
            seen(ec2, running)

    def test_a_start_gives_another_public_address(self, aws: AwsServer, ec2: Any, running: str) -> None:
        before = seen(ec2, running)
        assert "PublicIpAddress" not in seen(ec2, stopped(aws, ec2, running))
        ec2.start_instances(InstanceIds=[running])
        after = seen(ec2, running)
        assert after["PublicIpAddress"] != before["PublicIpAddress"]
        assert after["PrivateIpAddress"] == before["PrivateIpAddress"]

    def test_an_elastic_address_stays(self, aws: AwsServer, ec2: Any, running: str) -> None:
        made = ec2.allocate_address(Domain="vpc")
        ec2.associate_address(AllocationId=made["AllocationId"], InstanceId=running)
        stopped(aws, ec2, running)
        ec2.start_instances(InstanceIds=[running])
        aws.settle()
        assert seen(ec2, running)["PublicIpAddress"] == made["PublicIp"]
        ec2.terminate_instances(InstanceIds=[running])
        aws.settle()
        assert "AssociationId" not in ec2.describe_addresses()["Addresses"][0]

    def test_a_new_instance_can_be_missing_at_first(self, aws: AwsServer, ec2: Any, launch: Launch) -> None:
        aws.lag(2)
        made = launch(ClientToken="t")["InstanceId"]
        with refused("InvalidInstanceID.NotFound"):
            seen(ec2, made)
        by_token = [{"Name": "client-token", "Values": ["t"]}]
        assert ec2.describe_instances(Filters=by_token)["Reservations"] == []
        assert ec2.describe_instances(Filters=by_token)["Reservations"] != []
        assert state(ec2, made)


class TestRefusals:
    def test_a_terminated_instance_cannot_be_started_or_stopped(self, aws: AwsServer, ec2: Any, running: str) -> None:
        ec2.terminate_instances(InstanceIds=[running])
        aws.settle()
        for move in (ec2.start_instances, ec2.stop_instances, ec2.reboot_instances):
            with refused("IncorrectInstanceState"):
                move(InstanceIds=[running])

    def test_a_pending_instance_cannot_be_stopped(self, slow: AwsServer, ec2: Any, launch: Launch) -> None:
        with refused("IncorrectInstanceState"):
            ec2.stop_instances(InstanceIds=[launch()["InstanceId"]])

    def test_only_a_stopped_instance_changes_its_type(self, aws: AwsServer, ec2: Any, running: str) -> None:
        def resize(kind: str) -> None:
            ec2.modify_instance_attribute(InstanceId=running, InstanceType={"Value": kind})

        with refused("IncorrectInstanceState", "not in the 'stopped' state"):
            resize("t3.small")
        stopped(aws, ec2, running)
        with refused("InvalidParameterValue"):
            resize("t4g.small")
        resize("t3.small")
        assert seen(ec2, running)["InstanceType"] == "t3.small"

    @pytest.mark.parametrize("by_name", [False, True])
    def test_only_a_stopped_instance_changes_its_user_data(
        self, aws: AwsServer, ec2: Any, running: str, by_name: bool
    ) -> None:
        def change(data: bytes) -> None:
            if by_name:
                text = base64.b64encode(data).decode()
                ec2.modify_instance_attribute(InstanceId=running, Attribute="userData", Value=text)
            else:
                ec2.modify_instance_attribute(InstanceId=running, UserData={"Value": data})

        with refused("IncorrectInstanceState"):
            change(b"#!/bin/sh\n\xff")
        stopped(aws, ec2, running)
        change(b"#!/bin/sh\n\xff")
        found = ec2.describe_instance_attribute(InstanceId=running, Attribute="userData")["UserData"]["Value"]
        assert base64.b64decode(found) == b"#!/bin/sh\n\xff"
        with refused("InvalidParameterValue"):
            change(b"x" * 16385)

    def test_a_protected_instance_is_not_terminated(self, aws: AwsServer, ec2: Any, launch: Launch) -> None:
        made = launch(DisableApiTermination=True)["InstanceId"]
        aws.settle()
        other = launch()["InstanceId"]
        with refused("OperationNotPermitted", "disableApiTermination"):
            ec2.terminate_instances(InstanceIds=[other, made])
        assert state(ec2, other) in ("pending", "running")
        ec2.modify_instance_attribute(InstanceId=made, DisableApiTermination={"Value": False})
        ec2.terminate_instances(InstanceIds=[made])

    def test_a_protected_instance_is_not_stopped(self, aws: AwsServer, ec2: Any, launch: Launch) -> None:
        made = launch(DisableApiStop=True)["InstanceId"]
        aws.settle()
        with refused("OperationNotPermitted"):
            ec2.stop_instances(InstanceIds=[made])


class TestGroups:
    def test_one_in_use_stays_until_the_instance_is_terminated(self, slow: AwsServer, ec2: Any, launch: Launch) -> None:
        group = ec2.create_security_group(GroupName="g", Description="d")["GroupId"]
        made = launch(SecurityGroupIds=[group])["InstanceId"]
        with refused("DependencyViolation"):
            ec2.delete_security_group(GroupId=group)
        ec2.terminate_instances(InstanceIds=[made])
        with refused("DependencyViolation"):
            ec2.delete_security_group(GroupId=group)
        slow.settle()
        ec2.delete_security_group(GroupId=group)

    def test_one_that_anothers_rule_names_stays(self, ec2: Any) -> None:
        one, other = (ec2.create_security_group(GroupName=n, Description="d")["GroupId"] for n in ("a", "b"))
        rule = {"IpProtocol": "tcp", "FromPort": 1, "ToPort": 1, "UserIdGroupPairs": [{"GroupId": one}]}
        ec2.authorize_security_group_ingress(GroupId=other, IpPermissions=[rule])
        with refused("DependencyViolation"):
            ec2.delete_security_group(GroupId=one)
        ec2.delete_security_group(GroupId=other)
        ec2.delete_security_group(GroupId=one)

    def test_the_default_one_stays(self, ec2: Any) -> None:
        (group,) = ec2.describe_security_groups(GroupNames=["default"])["SecurityGroups"]
        with refused("CannotDelete"):
            ec2.delete_security_group(GroupId=group["GroupId"])


class TestSpot:
    def test_an_instance_comes_with_its_request(self, ec2: Any, launch: Launch) -> None:
        options = {"MarketType": "spot", "SpotOptions": {"MaxPrice": "0.01"}}
        made = launch(InstanceMarketOptions=options)
        (request,) = ec2.describe_spot_instance_requests()["SpotInstanceRequests"]
        assert made["InstanceLifecycle"] == "spot"
        assert made["SpotInstanceRequestId"] == request["SpotInstanceRequestId"]
        assert (request["InstanceId"], request["State"], request["SpotPrice"]) == (made["InstanceId"], "active", "0.01")

    def test_ec2_takes_it_back(self, aws: AwsServer, ec2: Any, launch: Launch) -> None:
        made = launch(InstanceMarketOptions={"MarketType": "spot"})["InstanceId"]
        aws.settle()
        aws.preempt(made)
        aws.settle()
        gone = seen(ec2, made)
        assert (gone["State"]["Name"], gone["StateReason"]["Code"]) == ("terminated", "Server.SpotInstanceTermination")
        (request,) = ec2.describe_spot_instance_requests()["SpotInstanceRequests"]
        assert (request["State"], request["Status"]["Code"]) == ("closed", "instance-terminated-no-capacity")

    def test_a_one_time_request_does_not_let_stop(self, aws: AwsServer, ec2: Any, launch: Launch) -> None:
        made = launch(InstanceMarketOptions={"MarketType": "spot"})["InstanceId"]
        aws.settle()
        with refused("UnsupportedOperation"):
            ec2.stop_instances(InstanceIds=[made])

    def test_only_spot_instances_are_taken_back(self, aws: AwsServer, running: str) -> None:
        with pytest.raises(KeyError):
            aws.preempt(running)

    def test_a_missing_spot_capacity_leaves_on_demand_launches_alone(self, aws: AwsServer, launch: Launch) -> None:
        spot = {"InstanceMarketOptions.MarketType": "spot"}
        aws.fail("RunInstances", "InsufficientInstanceCapacity", when=spot, times=None)
        with refused("InsufficientInstanceCapacity", status=500):
            launch(InstanceMarketOptions={"MarketType": "spot"}, ClientToken="a")
        launch(ClientToken="b")


class TestOwnImages:
    def test_one_is_pending_and_then_boots_with_the_disk_it_was_made_of(
        self, slow: AwsServer, ec2: Any, launch: Launch, running: str
    ) -> None:
        tags = [{"ResourceType": kind, "Tags": [{"Key": "k", "Value": kind}]} for kind in ("image", "snapshot")]
        made = ec2.create_image(InstanceId=running, Name="baked", TagSpecifications=tags)["ImageId"]
        with refused("InvalidAMIID.Unavailable"):
            launch(ImageId=made)
        slow.settle()
        (image,) = ec2.describe_images(Owners=["self"])["Images"]
        assert (image["ImageId"], image["State"], image["RootDeviceName"]) == (made, "available", "/dev/xvda")
        assert launch(ImageId=made)["ImageId"] == made
        (snapshot,) = ec2.describe_snapshots(OwnerIds=["self"])["Snapshots"]
        assert snapshot["Tags"] == [{"Key": "k", "Value": "snapshot"}]
        with refused("InvalidSnapshot.InUse"):
            ec2.delete_snapshot(SnapshotId=snapshot["SnapshotId"])
        ec2.deregister_image(ImageId=made)
        ec2.delete_snapshot(SnapshotId=snapshot["SnapshotId"])

    def test_a_name_is_used_once(self, ec2: Any, running: str) -> None:
        ec2.create_image(InstanceId=running, Name="baked")
        with refused("InvalidAMIName.Duplicate"):
            ec2.create_image(InstanceId=running, Name="baked")
