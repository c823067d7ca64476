"""``create --driver aws`` from nothing to ``docker run`` and back: EC2 is the testbed's, its instances are machines."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from machine.drivers.aws import marks
from tests.e2e.command import Pymachine, busybox_image, debian_docker_client
from tests.testbed.aws.fixtures import *  # noqa: F403
from tests.testbed.aws.server import AwsServer
from tests.testbed.fixtures import nothing_stays

__all__ = ["nothing_stays"]

pytestmark = [pytest.mark.e2e, pytest.mark.usefixtures("nothing_stays")]

OWN = """#cloud-config
write_files:
  - {path: /etc/own-file, content: "mine\\n"}
runcmd:
  - [touch, /run/own-command]
"""


@pytest.fixture
def pymachine(tmp_path: Path, aws_hosts: AwsServer) -> Iterator[Pymachine]:
    """The command with an empty store and an empty account."""
    command = Pymachine(tmp_path / "store")
    yield command
    names = command("ls", "-q").stdout.split()
    if names:
        command("rm", "-f", *names, code=None)


def resources(server: AwsServer) -> list[str]:
    """What is in the account and carries our marks, or costs something."""
    backend = server.backend()
    return [
        *(f"{each.id} {each.state}" for each in backend.all_instances() if each.state != "terminated"),
        *(each.id for each in backend.describe_security_groups() if each.name != "default"),
        *(each.id for each in backend.describe_volumes()),
        *(each.allocation_id for each in backend.describe_addresses()),
    ]


def test_a_machine_at_aws_is_made_used_moved_and_removed_without_a_trace(
    pymachine: Pymachine, aws_hosts: AwsServer, tmp_path: Path
) -> None:
    own = tmp_path / "own.yaml"
    own.write_text(OWN)
    said = pymachine("create", "-d", "aws", "--aws-userdata", str(own), "--aws-tags", "team=web", "web1").stdout
    assert "a security group, open to 127.0.0.1/32" in said
    assert "web1 is ready at tcp://" in said

    # It is what its user data says, ours and theirs, and cloud-init found nothing wrong with either.
    assert pymachine("ssh", "web1", "hostname; cat /etc/own-file; ls /run/own-command").stdout.split() == [
        "web1", "mine", "/run/own-command",
    ]  # fmt: skip
    schema = pymachine("ssh", "web1", "sudo cloud-init schema --system && cloud-init status").stdout
    assert "status: done" in schema

    # The host key that came in the user data is gone from the host, from known_hosts, and from the operator's disk.
    (instance,) = aws_hosts.backend().all_instances()
    shown = pymachine("ssh", "web1", "cat /etc/ssh/ssh_host_ed25519_key.pub").stdout.split()[1]
    assert (pymachine.store / "machines/web1/known_hosts").read_text().split()[2] == shown
    assert not list((pymachine.store / "machines/web1").glob("kept-*"))

    docker = debian_docker_client()
    environ = pymachine.docker_environ("web1")
    image = busybox_image(tmp_path / "busybox.tar")
    subprocess.run([docker, "import", image, "busybox"], env=environ, check=True, stdout=subprocess.DEVNULL)
    hello = subprocess.run(
        [docker, "run", "--rm", "busybox", "/bin/echo", "hello"], env=environ, check=True, capture_output=True
    )
    assert hello.stdout == b"hello\n"

    # Everything carries whose it is, from the call that made it.
    document = json.loads(pymachine("inspect", "web1").stdout)
    assert document["InstanceID"] == instance.id
    tags = {each["key"]: each["value"] for each in instance.get_tags()}
    assert tags[marks.MACHINE] == "web1"
    assert tags["team"] == "web"
    assert {marks.STORE, marks.OPERATION} <= set(tags)

    # It comes back at another address and as another type, with a certificate for it.
    before = pymachine("ip", "web1").stdout
    pymachine("stop", "web1")
    assert pymachine("status", "web1").stdout == "Stopped\n"
    pymachine("resize", "web1", "--aws-instance-type", "t3.large", "--start")
    assert pymachine("ip", "web1").stdout != before
    assert instance.instance_type == "t3.large"
    subprocess.run([docker, "image", "inspect", "busybox"], env=pymachine.docker_environ("web1"), check=True,
                   stdout=subprocess.DEVNULL)  # fmt: skip
    pymachine("restart", "web1")
    assert pymachine("ls", "-o", "json").stdout.count('"Running"') == 1

    pymachine("rm", "-y", "web1")
    assert resources(aws_hosts) == []
    assert pymachine("gc", "--dry-run").stdout == "Nothing was left behind.\n"
    assert pymachine("ls", "-q").stdout == ""


def test_several_machines_are_made_side_by_side_by_one_launch_each(pymachine: Pymachine, aws_hosts: AwsServer) -> None:
    pymachine("create", "-d", "aws", "-n", "3", "web")
    assert aws_hosts.count("RunInstances") == 3
    aws_hosts.calls.clear()
    assert pymachine("ls").stdout.count("Running") == 3
    assert [call.action for call in aws_hosts.calls] == ["DescribeInstances"]
    pymachine("rm", "-y", "web-1", "web-2", "web-3")
    assert resources(aws_hosts) == []


def test_a_stranger_at_the_address_is_never_believed(pymachine: Pymachine, aws_hosts: AwsServer) -> None:
    pymachine("create", "-d", "aws", "web1")
    pymachine("ssh", "web1", "sudo rm /etc/ssh/ssh_host_*; sudo ssh-keygen -A; sudo systemctl restart ssh", code=None)
    refused = pymachine("provision", "web1", code=1).stderr
    assert "THE SSH KEY OF" in refused
    assert pymachine("status", "--recorded", "web1").stdout == "Running\n"
    pymachine("rm", "-y", "web1")
    assert resources(aws_hosts) == []
