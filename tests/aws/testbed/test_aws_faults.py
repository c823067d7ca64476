"""What the testbed lets go wrong goes wrong at the call it was meant for, before or after the effect."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, ReadTimeoutError

from tests.aws.testbed.refused import refused
from tests.testbed.aws import AwsServer

Launch = Callable[..., Any]

CREATE_GROUP = "import boto3; boto3.client('ec2').create_security_group(GroupName='g', Description='d')"


def groups(ec2: Any) -> int:
    return len(ec2.describe_security_groups(Filters=[{"Name": "group-name", "Values": ["g"]}])["SecurityGroups"])


class TestErrors:
    def test_before_the_effect_for_some_calls(self, aws: AwsServer, ec2: Any) -> None:
        aws.fail("CreateSecurityGroup", "RequestLimitExceeded", times=2)
        for _ in range(2):
            with refused("RequestLimitExceeded", status=503):
                ec2.create_security_group(GroupName="g", Description="d")
        assert groups(ec2) == 0
        ec2.create_security_group(GroupName="g", Description="d")

    def test_from_the_nth_call_on(self, aws: AwsServer, ec2: Any) -> None:
        aws.fail("DescribeVpcs", "UnauthorizedOperation", nth=2, times=None)
        ec2.describe_vpcs()
        for _ in range(3):
            with refused("UnauthorizedOperation", status=403):
                ec2.describe_vpcs()

    def test_after_the_effect(self, aws: AwsServer, ec2: Any) -> None:
        aws.fail("CreateSecurityGroup", "InternalError", after=True)
        with refused("InternalError", status=500):
            ec2.create_security_group(GroupName="g", Description="d")
        assert groups(ec2) == 1

    @pytest.mark.parametrize(
        ("service", "call", "code"),
        [
            ("ec2", lambda c: c.describe_vpcs(), "ExpiredToken"),
            ("sts", lambda c: c.get_caller_identity(), "ExpiredToken"),
            ("iam", lambda c: c.list_users(), "Throttling"),
            ("ssm", lambda c: c.get_parameter(Name="x"), "ThrottlingException"),
            ("pricing", lambda c: c.get_products(ServiceCode="AmazonEC2"), "AccessDeniedException"),
        ],
    )
    def test_in_the_protocol_of_the_service(
        self, aws: AwsServer, client: Callable[..., Any], service: str, call: Callable[[Any], Any], code: str
    ) -> None:
        aws.fail("*", code, service=service, message="as <asked> & wanted")
        with pytest.raises(ClientError) as caught:
            call(client(service, region_name="us-east-1"))
        assert caught.value.response["Error"]["Code"] == code
        assert caught.value.response["Error"]["Message"] == "as <asked> & wanted"

    def test_only_where_the_parameters_say_so(self, aws: AwsServer, ec2: Any) -> None:
        aws.fail("CreateSecurityGroup", "Unavailable", when={"GroupName": "h"})
        ec2.create_security_group(GroupName="g", Description="d")
        with refused("Unavailable", status=503):
            ec2.create_security_group(GroupName="h", Description="d")


class TestConnections:
    @pytest.mark.parametrize("after", [False, True])
    def test_one_is_closed_without_a_reply(self, aws: AwsServer, ec2: Any, after: bool) -> None:
        aws.fail("CreateSecurityGroup", drop=True, after=after)
        with pytest.raises(ConnectionClosedError):
            ec2.create_security_group(GroupName="g", Description="d")
        assert groups(ec2) == int(after)

    @pytest.mark.parametrize("after", [False, True])
    def test_one_hangs(self, aws: AwsServer, client: Callable[..., Any], after: bool) -> None:
        aws.fail("CreateSecurityGroup", hang=30, after=after)
        ec2 = client("ec2", read_timeout=0.3)
        with pytest.raises(ReadTimeoutError):
            ec2.create_security_group(GroupName="g", Description="d")
        assert groups(ec2) == int(after)

    def test_a_call_that_still_hangs_has_no_effect_on_the_next_test(
        self, aws: AwsServer, client: Callable[..., Any]
    ) -> None:
        aws.fail("CreateSecurityGroup", hang=1)
        ec2 = client("ec2", read_timeout=0.1)
        with pytest.raises(ReadTimeoutError):
            ec2.create_security_group(GroupName="g", Description="d")
        aws.reset()
        time.sleep(1.2)  # that nothing happens has no end that could be awaited
        assert groups(ec2) == 0

    def test_one_is_only_late(self, aws: AwsServer, ec2: Any) -> None:
        aws.fail("DescribeVpcs", hang=0.2)
        before = time.monotonic()
        assert ec2.describe_vpcs()["Vpcs"]
        assert time.monotonic() - before >= 0.2


class TestKills:
    @pytest.mark.parametrize("after", [False, True])
    def test_the_caller_dies_at_its_call(self, aws: AwsServer, ec2: Any, after: bool) -> None:
        aws.fail("CreateSecurityGroup", kill=True, after=after)
        died = subprocess.run([sys.executable, "-c", CREATE_GROUP], check=False, timeout=60)
        assert died.returncode == -signal.SIGKILL
        assert groups(ec2) == int(after)

    def test_a_named_process_dies(self, aws: AwsServer, ec2: Any) -> None:
        with subprocess.Popen(["sleep", "60"]) as victim:
            aws.fail("DescribeVpcs", kill=lambda: victim.pid)
            with pytest.raises(ConnectionClosedError):
                ec2.describe_vpcs()
            assert victim.wait(10) == -signal.SIGKILL

    def test_never_the_test_itself(self, aws: AwsServer) -> None:
        with pytest.raises(ValueError, match="this very process"):
            aws.fail("DescribeVpcs", kill=os.getpid())


def test_calls_are_listed_with_what_they_asked(aws: AwsServer, ec2: Any, launch: Launch, image: str) -> None:
    aws.calls.clear()
    launch(InstanceType="t3.small")
    ec2.describe_vpcs()
    assert [(call.service, call.action) for call in aws.calls] == [("ec2", "RunInstances"), ("ec2", "DescribeVpcs")]
    assert aws.calls[0].params["InstanceType"] == "t3.small"
    assert aws.calls[0].region == "eu-central-1"


def test_a_reset_leaves_nothing(aws: AwsServer, ec2: Any, launch: Launch) -> None:
    launch()
    aws.timing.pending = 9
    aws.fail("*", "InternalError")
    aws.reset()
    assert ec2.describe_instances()["Reservations"] == []
    assert aws.timing.pending < 1


def test_the_server_runs_as_a_process_too() -> None:
    command = [sys.executable, "-m", "tests.testbed.aws"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline().strip() for _ in range(7)]
        found = dict(line.split("=", 1) for line in lines)
        done = subprocess.run([sys.executable, "-c", CREATE_GROUP], env=os.environ | found, check=False, timeout=60)
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    assert done.returncode == 0
