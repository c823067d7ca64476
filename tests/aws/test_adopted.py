"""A machine that docker-machine's amazonec2 made goes on at EC2: the instance is ours to stop, start and remove.

What docker-machine shares between its machines, and what nobody can say for sure, is left alone.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from machine.cli import command_line as run
from machine.drivers.aws import account as accounts
from machine.errors import HostUnreachable
from machine.model import Machine
from machine.operations import given, hostconnection
from machine.operations.endpoint import Health
from machine.store.store import Store
from tests.aws.world import left
from tests.conformance.old_stores import OldStore, version_3
from tests.testbed.aws.server import REGION, AwsServer

Say = Callable[..., tuple[int, str, str]]
CREDENTIALS = {"AccessKey": "AKIACANARY", "SecretKey": "canary-2711", "SessionToken": "canary-2712"}


class Made:
    """What docker-machine has made: a group for all, a key pair and an instance."""

    def __init__(self, aws: AwsServer) -> None:
        aws.timing.pending = aws.timing.stopping = aws.timing.shutting_down = 0.0
        self.ec2 = ec2 = boto3.client("ec2")
        self.subnet = ec2.describe_subnets()["Subnets"][0]
        ec2.create_key_pair(KeyName="web")
        self.group = ec2.create_security_group(
            GroupName="docker-machine", Description="Docker Machine", VpcId=self.subnet["VpcId"]
        )["GroupId"]
        image = ec2.describe_images(Owners=["136693071363"])["Images"][0]["ImageId"]
        self.id = ec2.run_instances(
            ImageId=image, InstanceType="t3.micro", MinCount=1, MaxCount=1, KeyName="web",
            SubnetId=self.subnet["SubnetId"], SecurityGroupIds=[self.group],
        )["Instances"][0]["InstanceId"]  # fmt: skip
        aws.settle()

    def described(self) -> dict[str, Any]:
        described: dict[str, Any] = self.ec2.describe_instances(InstanceIds=[self.id])["Reservations"][0]["Instances"][
            0
        ]
        return described

    @property
    def state(self) -> str:
        return str(self.described()["State"]["Name"])

    def record(self, **fields: Any) -> dict[str, Any]:
        """As docker-machine wrote it."""
        its = {
            "InstanceId": self.id, "Region": REGION, "IPAddress": self.described()["PublicIpAddress"],
            "SSHUser": "ubuntu", "SSHPort": 22, "KeyName": "web", "ExistingKey": False, "InstanceType": "t3.micro",
            "SubnetId": self.subnet["SubnetId"], "VpcId": self.subnet["VpcId"], "SecurityGroupIds": [self.group],
            "SecurityGroupNames": ["docker-machine"], "PrivateIPOnly": False, "UsePrivateIP": False, "Endpoint": "",
            "DisableSSL": False, **CREDENTIALS,
        }  # fmt: skip
        return version_3("amazonec2", **{**its, **fields})


@pytest.fixture
def made(aws: AwsServer) -> Made:
    return Made(aws)


@pytest.fixture
def say(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Say]:
    accounts._shared.cache_clear()  # a process keeps its accounts; here each test is another one

    def say(*words: str) -> tuple[int, str, str]:
        code = run(["-s", str(tmp_path / "store"), *words])
        said = capsys.readouterr()
        return code, said.out, said.err

    yield say
    accounts._shared.cache_clear()


@pytest.fixture
def imported(tmp_path: Path, say: Say, made: Made) -> Callable[..., str]:
    """Take the machine over; what was said about it."""

    def imported(**fields: Any) -> str:
        old = OldStore(tmp_path / "old")
        old.machine("web", made.record(**fields), address=made.described()["PublicIpAddress"])
        code, out, err = say("import", "--from-docker-machine", str(old.directory))
        assert (code, err) == (0, "")
        return out

    return imported


def machine(tmp_path: Path) -> Machine:
    store = Store(str(tmp_path / "store"))
    try:
        return store.machines.get("web")
    finally:
        store.close()


def states(say: Say) -> dict[str, tuple[str, str]]:
    """Of each machine the driver and the state, as ``ls`` has them."""
    _, out, _ = say("ls", "-f", "{{.Name}} {{.DriverName}} {{.State}}")
    return {name: (driver, state) for name, driver, state in (line.split(maxsplit=2) for line in out.splitlines())}


def test_it_is_looked_at_stopped_started_and_removed(
    tmp_path: Path, aws: AwsServer, made: Made, imported: Callable[..., str], say: Say
) -> None:
    assert "web (amazonec2 at" in imported()
    assert states(say) == {"web": ("aws", "Running")}
    assert say("stop", "web")[0] == 0
    assert made.state == "stopped"
    assert states(say) == {"web": ("aws", "Stopped")}
    assert say("start", "web")[0] == 0
    assert made.state == "running"
    assert say("kill", "web")[0] == 0
    assert made.state == "stopped"
    code, _, err = say("rm", "-y", "web")
    assert (code, err) == (0, "")
    assert made.state == "terminated"
    assert say("ls", "-q")[1] == ""
    assert {call.action for call in aws.calls if call.action.startswith(("Delete", "Release"))} == set()
    assert f"group {made.group}" in left(aws)
    assert [each["KeyName"] for each in made.ec2.describe_key_pairs()["KeyPairs"]] == ["web"]


def test_what_is_known_of_it_is_what_docker_machine_recorded(
    tmp_path: Path, imported: Callable[..., str], made: Made
) -> None:
    said = imported(Endpoint="ec2.example:8443", DisableSSL=True)
    found = machine(tmp_path)
    assert found.account == {"region": REGION, "endpoint_url": "http://ec2.example:8443"}
    assert (found.spec.driver, found.instance.id) == ("aws", made.id)  # type: ignore[union-attr]
    assert found.spec.options["instance_type"] == "t3.micro"
    access = found.instance.access  # type: ignore[union-attr]
    assert (access.user, access.port, access.host) == ("ubuntu", 22, made.described()["PublicIpAddress"])
    assert "not copied, for they are the provider's credentials: AccessKey, SecretKey, SessionToken" in said
    kept = b"".join(path.read_bytes() for path in (tmp_path / "store").rglob("*") if path.is_file())
    assert b"canary" not in kept.lower()


@pytest.mark.parametrize(("existing", "named"), [(False, True), (True, False)])
def test_a_key_pair_that_was_made_for_it_is_named_and_the_operator_s_own_is_not(
    imported: Callable[..., str], existing: bool, named: bool
) -> None:
    said = imported(ExistingKey=existing)
    assert ("aws ec2 delete-key-pair --key-name web" in said) == named


@pytest.mark.parametrize("field", ["PrivateIPOnly", "UsePrivateIP"])
def test_one_at_a_private_address_stays_there(
    tmp_path: Path, made: Made, imported: Callable[..., str], say: Say, field: str
) -> None:
    private = made.described()["PrivateIpAddress"]
    imported(IPAddress=private, **{field: True})
    say("stop", "web")
    made.ec2.start_instances(InstanceIds=[made.id])
    states(say)
    assert machine(tmp_path).address == private
    assert made.described()["PublicIpAddress"] != private


def test_a_new_address_is_recorded_and_what_its_certificate_lacks_is_said(
    tmp_path: Path, made: Made, imported: Callable[..., str], say: Say
) -> None:
    imported()
    before = machine(tmp_path)
    say("stop", "web")
    code, out, err = say("start", "web")
    now = made.described()["PublicIpAddress"]
    assert code == 0
    assert now != before.address
    assert "pymachine provision web" in out + err
    found = machine(tmp_path)
    assert (found.address, found.url, found.endpoint.route) == (now, f"tcp://{now}:2376", "given")  # type: ignore[union-attr]


def test_at_the_same_address_its_own_endpoint_is_waited_for(
    tmp_path: Path, made: Made, imported: Callable[..., str], say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The agent does not come unasked: an Elastic IP keeps docker-machine's certificate good."""
    allocation = made.ec2.allocate_address(Domain="vpc")["AllocationId"]
    made.ec2.associate_address(AllocationId=allocation, InstanceId=made.id)
    imported()
    asked: list[str] = []

    def answer(address: str, port: int, *_: Any) -> Health:
        asked.append(f"{address}:{port}")
        return Health(agent_version=None, engine_version="20.10.24", engine_trouble="")

    monkeypatch.setattr(given, "ask_engine", answer)
    say("stop", "web")
    code, out, err = say("start", "web")
    assert (code, err) == (0, "")
    assert asked == [f"{machine(tmp_path).address}:2376"]
    assert "provision" not in out


def test_it_is_gone_when_its_own_account_has_it_no_more(
    aws: AwsServer, made: Made, imported: Callable[..., str], say: Say
) -> None:
    imported()
    aws.timing.terminated_visible = 0.0
    made.ec2.terminate_instances(InstanceIds=[made.id])
    aws.settle()
    aws.backend().reservations.clear()
    assert states(say) == {"web": ("aws", "Gone")}
    assert say("rm", "-y", "web")[0] == 0


def test_in_another_account_it_is_not_called_gone(
    aws: AwsServer, made: Made, imported: Callable[..., str], say: Say
) -> None:
    """docker-machine did not record whose it is: one that is asked for in the wrong account would be lost, and paid."""
    imported(SubnetId="subnet-0123456789abcdef0", InstanceId="i-0123456789abcdef0")
    for words in (["rm", "-y", "web"], ["stop", "web"], ["start", "web"]):
        code, _, err = say(*words)
        assert code == 1
        assert "whether i-0123456789abcdef0 is gone cannot be said" in err
        assert "AWS_PROFILE" in err
    assert states(say) == {"web": ("aws", "Unknown")}
    assert say("rm", "-f", "web")[0] == 1  # it is forgotten, and kept for gc
    assert "i-0123456789abcdef0" in "".join(say("gc", "--dry-run")[1:])


def test_the_agent_is_brought_to_a_host_whose_key_nobody_has_vouched_for_yet(
    tmp_path: Path, imported: Callable[..., str], say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    """docker-machine never looked at host keys: the first one counts, as for any host that is adopted."""
    imported()
    asked: list[dict[str, Any]] = []

    def reach(host: str, **how: Any) -> Any:
        asked.append({"host": host, **how})
        raise HostUnreachable("nobody is there", layer="route")

    monkeypatch.setattr(hostconnection, "reach", reach)
    code, _, err = say("provision", "web")
    assert (code, "nobody is there" in err) == (1, True)
    assert (asked[0]["host"], asked[0]["user"]) == (machine(tmp_path).address, "ubuntu")
    assert (asked[0]["pinned"], asked[0]["accept_first"]) == ((), True)
    assert machine(tmp_path).taken_over


def test_gc_asks_where_it_is_and_takes_nothing_that_is_not_marked(
    aws: AwsServer, made: Made, imported: Callable[..., str], say: Say
) -> None:
    imported()
    code, out, _ = say("gc", "-y")
    assert code == 0
    assert "Nothing was left behind" in out
    assert aws.count("DescribeInstances") > 0
    assert made.state == "running"


def test_inspect_has_the_instance_as_docker_machine_s_shape_has_it(
    tmp_path: Path, imported: Callable[..., str], say: Say
) -> None:
    imported()
    shown = json.loads(say("inspect", "web")[1])["Driver"]
    assert (shown["InstanceId"], shown["Region"]) == (machine(tmp_path).instance.id, REGION)  # type: ignore[union-attr]
