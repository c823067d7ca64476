"""Instances of the AWS testbed can be real machines: what their user data says is what they become."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from machine.trust.sshkeys import new_private_key, public_line
from tests.testbed.aws import AwsServer
from tests.testbed.aws.fixtures import *  # noqa: F403
from tests.testbed.fixtures import nothing_stays
from tests.testbed.host import make_key

__all__ = ["nothing_stays"]

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("nothing_stays")]


class Login:
    """A key pair that may log in, and the one host key that is accepted."""

    def __init__(self, place: Path) -> None:
        self.identity, self.known_hosts = place / "id_ed25519", place / "known_hosts"
        self.line = make_key(self.identity)
        self.host_key = new_private_key()
        self.host_line = public_line(self.host_key)

    @property
    def user_data(self) -> str:
        """As a driver would write it."""
        keys = {"ed25519_private": self.host_key.decode(), "ed25519_public": self.host_line}
        document = {"ssh_keys": keys, "ssh_deletekeys": True, "ssh_authorized_keys": [self.line]}
        return "#cloud-config\n" + json.dumps(document)

    def ssh(self, address: str, command: str, *, user: str = "admin", within: float = 60.0) -> str:
        """Run a command, once the host answers with the key that was given to it and with no other."""
        self.known_hosts.write_text(f"{address} {self.host_line}\n")
        options = ["BatchMode=yes", "StrictHostKeyChecking=yes", "IdentitiesOnly=yes", "ConnectTimeout=1"]
        options.append(f"UserKnownHostsFile={self.known_hosts}")
        flags = [part for option in options for part in ("-o", option)]
        line = ["ssh", "-F", "/dev/null", "-i", str(self.identity), *flags, f"{user}@{address}", command]
        deadline = time.monotonic() + within
        while True:
            done = subprocess.run(line, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
            assert "HOST IDENTIFICATION HAS CHANGED" not in done.stderr
            if done.returncode == 0:
                return done.stdout.strip()
            assert time.monotonic() < deadline, done.stderr
            time.sleep(0.05)


@pytest.fixture
def login(tmp_path: Path) -> Login:
    return Login(tmp_path)


@pytest.fixture
def ec2(nothing_stays: None, aws_hosts: AwsServer) -> Iterator[Any]:
    made = boto3.session.Session().client("ec2")
    yield made
    made.close()


@pytest.fixture
def launch(ec2: Any) -> Callable[..., str]:
    """Launches an instance; its id."""

    def run(login: Login, **given: Any) -> str:
        request = {
            "ImageId": "resolve:ssm:/aws/service/debian/release/12/latest/amd64", "InstanceType": "t3.micro",
            "MinCount": 1, "MaxCount": 1, "UserData": login.user_data,
        }  # fmt: skip
        return ec2.run_instances(**request | given)["Instances"][0]["InstanceId"]

    return run


def seen(ec2: Any, id: str) -> Any:
    return ec2.describe_instances(InstanceIds=[id])["Reservations"][0]["Instances"][0]


def test_the_given_host_key_answers_and_the_given_key_logs_in(
    aws_hosts: AwsServer, ec2: Any, launch: Callable[..., str], login: Login
) -> None:
    made = launch(login)
    aws_hosts.await_state(made, "running", within=150)
    address = seen(ec2, made)["PublicIpAddress"]
    assert login.ssh(address, "cat /var/lib/cloud/data/instance-id") == made
    assert login.ssh(address, "sudo id -u") == "0"
    assert "Server Version" in login.ssh(address, "sudo docker info")
    assert login.ssh(address, "sudo cloud-init status --wait").endswith("status: done")


def test_it_keeps_its_root_and_its_key_through_stop_and_start_at_another_address(
    aws_hosts: AwsServer, ec2: Any, launch: Callable[..., str], login: Login
) -> None:
    made = launch(login)
    aws_hosts.await_state(made, "running", within=150)
    before = seen(ec2, made)["PublicIpAddress"]
    login.ssh(before, "sudo cloud-init status --wait >/dev/null; echo kept >kept; sync")
    ec2.stop_instances(InstanceIds=[made])
    aws_hosts.await_state(made, "stopped")
    assert not aws_hosts.hosts.guest(made).runs
    ec2.start_instances(InstanceIds=[made])
    aws_hosts.await_state(made, "running")
    after = seen(ec2, made)["PublicIpAddress"]
    assert after != before
    assert login.ssh(after, "cat kept; cat /var/lib/cloud/data/instance-id") == f"kept\n{made}"
    boot = login.ssh(after, "cat /proc/sys/kernel/random/boot_id; stat -c %Y /run/systemd")
    ec2.reboot_instances(InstanceIds=[made])
    deadline = time.monotonic() + 60
    while login.ssh(after, "cat /proc/sys/kernel/random/boot_id; stat -c %Y /run/systemd") == boot:
        assert time.monotonic() < deadline
    ec2.terminate_instances(InstanceIds=[made])
    aws_hosts.await_state(made, "terminated")


@pytest.mark.parametrize(("behaviour", "state"), [("stop", "stopped"), ("terminate", "terminated")])
def test_one_that_shuts_itself_down_is_noticed(
    aws_hosts: AwsServer, ec2: Any, launch: Callable[..., str], login: Login, behaviour: str, state: str
) -> None:
    aws_hosts.hosts.engine = False
    made = launch(login, InstanceInitiatedShutdownBehavior=behaviour)
    aws_hosts.await_state(made, "running", within=150)
    address = seen(ec2, made)["PublicIpAddress"]
    assert login.ssh(address, "command -v docker || echo none") == "none"
    login.ssh(address, "sudo systemctl --no-block poweroff")
    aws_hosts.await_state(made, state)


def test_an_image_of_one_boots_as_another(
    aws_hosts: AwsServer, ec2: Any, launch: Callable[..., str], login: Login, tmp_path: Path
) -> None:
    first = launch(login)
    aws_hosts.await_state(first, "running", within=150)
    clean = "sudo cloud-init status --wait >/dev/null; sudo touch /baked; sudo cloud-init clean --logs; sync"
    login.ssh(seen(ec2, first)["PublicIpAddress"], clean)
    image = ec2.create_image(InstanceId=first, Name="baked")["ImageId"]
    ec2.get_waiter("image_available").wait(ImageIds=[image], WaiterConfig={"Delay": 1, "MaxAttempts": 90})
    (tmp_path / "other").mkdir()
    other = Login(tmp_path / "other")
    second = launch(other, ImageId=image)
    aws_hosts.await_state(second, "running")
    address = seen(ec2, second)["PublicIpAddress"]
    assert other.ssh(address, "ls /baked; cat /var/lib/cloud/data/instance-id") == f"/baked\n{second}"
