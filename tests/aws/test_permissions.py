"""What an account may not do is asked of EC2 call by call, nothing is made by asking, and a doubt is called one."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from machine.driver import HostIdentity, Missing, resolve
from machine.drivers.aws import AwsDriver
from machine.drivers.aws import account as accounts
from machine.errors import PreCheckFailed
from machine.model import Spec
from machine.operations.explanation import Explanation, explain
from machine.testing.recorder import ListRecorder
from tests.testbed.aws.server import AwsServer

STORE = "0123456789abcdef"
IDENTITY = HostIdentity(store=STORE, authorized_key="ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKx web")
CREATION = {"ec2:RunInstances", "ec2:CreateSecurityGroup", "ec2:AuthorizeSecurityGroupIngress"}
LIFE = {"ec2:StartInstances", "ec2:StopInstances", "ec2:TerminateInstances", "ec2:DeleteSecurityGroup"}
ADDRESSES = {"ec2:AllocateAddress", "ec2:AssociateAddress", "ec2:ReleaseAddress"}
Policy = Callable[..., None]


@pytest.fixture
def other_credentials() -> Iterator[None]:
    """A process keeps its accounts: none that was made before is used, and none of these afterwards."""
    accounts._shared.cache_clear()
    yield
    accounts._shared.cache_clear()


@pytest.fixture
def without(aws: AwsServer, monkeypatch: pytest.MonkeyPatch, other_credentials: None) -> Policy:
    """Let the credentials in use be those of a user who may do everything but these actions."""

    def enforce(*actions: str) -> None:
        everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
        denied = [{"Effect": "Deny", "Action": list(actions), "Resource": "*"}] if actions else []
        key = aws.enforce({"Version": "2012-10-17", "Statement": [everything, *denied]})
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", key.access_key_id)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", key.secret_access_key)
        accounts._shared.cache_clear()

    return enforce


def explained(driver: AwsDriver | None = None, **given: Any) -> Explanation:
    driver = driver or AwsDriver()
    resolved = resolve(driver, given)
    spec = Spec(name="web", driver="aws", sources=resolved.sources)
    return explain(driver, spec, resolved.options, IDENTITY)


def facts(**given: Any) -> dict[str, str]:
    driver = AwsDriver()
    resolved = resolve(driver, given)
    return dict(
        driver.explain(driver.check(Spec(name="web", driver="aws"), resolved.options, IDENTITY), resolved.sources)
    )


def permissions(missing: Any, *, doubted: bool = False) -> set[str]:
    return {each.permission for each in missing if bool(each.doubt) is doubted}


def everything(aws: AwsServer) -> tuple[int, ...]:
    backend = aws.backend()
    groups, addresses = backend.describe_security_groups(), backend.describe_addresses()
    return len(list(backend.all_instances())), len(groups), len(addresses), len(backend.describe_volumes())


def test_who_may_do_everything_lacks_nothing_and_nothing_was_made(aws: AwsServer, without: Policy) -> None:
    without()
    before = everything(aws)
    found = explained(spot=True, spot_fallback=True, open_port=("80",))
    assert (found.missing, found.refused, found.possible) == ([], None, True)
    assert everything(aws) == before
    assert aws.count("RunInstances") == 2  # each market was asked about
    effects = [call for call in aws.calls if not call.action.startswith(("Describe", "Get"))]
    assert [call.action for call in effects if call.params.get("DryRun") != "true"] == []


@pytest.mark.parametrize("action", sorted(CREATION | LIFE | ADDRESSES | {"ec2:DeleteVolume", "ec2:CreateTags"}))
def test_an_action_that_is_not_allowed_is_named_and_no_other(aws: AwsServer, without: Policy, action: str) -> None:
    driver = AwsDriver()
    resolved = resolve(driver, {"elastic_ip": True})
    made = driver.check(Spec(name="web", driver="aws"), resolved.options, IDENTITY)
    driver.create(made, "0123456789abcdef0123456789abcdef", ListRecorder())
    aws.backend().create_volume(size=1, zone_name="eu-central-1a").add_tags({"pymachine:store": STORE})
    without(action)
    found = explained(elastic_ip=True)
    assert permissions(found.missing) == {action}
    assert not found.possible


def test_what_there_is_nothing_of_to_ask_about_is_a_doubt_and_stops_nobody(aws: AwsServer, without: Policy) -> None:
    """A policy with a condition on tags refuses an id that nobody has as well."""
    without("ec2:TerminateInstances", "ec2:DeleteSecurityGroup")
    found = explained()
    assert permissions(found.missing) == set()
    assert permissions(found.missing, doubted=True) == {"ec2:TerminateInstances", "ec2:DeleteSecurityGroup"}
    assert all("there is nothing yet to ask about" in each.doubt for each in found.missing)
    assert found.possible


@pytest.mark.parametrize("code", ["InvalidInstanceID.NotFound", "IncorrectState"])
def test_another_answer_of_ec2_is_no_answer(aws: AwsServer, code: str) -> None:
    aws.fail("StopInstances", code, times=None)
    (found,) = explained().missing
    assert (found.permission, found.needed_for) == ("ec2:StopInstances", "stop")
    assert code in found.doubt


def test_who_may_not_look_hears_of_all_that_is_missing(aws: AwsServer, without: Policy) -> None:
    without("ec2:DescribeInstanceTypes", "ec2:DescribeSubnets", "ssm:GetParameter", "ec2:CreateSecurityGroup")
    found = explained()
    assert isinstance(found.refused, PreCheckFailed)
    assert {"ec2:DescribeInstanceTypes", "ec2:DescribeSubnets", "ssm:GetParameter", "ec2:CreateSecurityGroup"} <= (
        permissions(found.missing)
    )
    assert dict(found.facts)["account"] == "123456789012"


def test_a_role_that_the_machine_would_get_is_asked_for(aws: AwsServer, without: Policy) -> None:
    from moto.iam.models import iam_backends

    iam_backends["123456789012"]["aws"].create_instance_profile("builder", "/", [])
    without("iam:PassRole")
    assert permissions(explained(iam_instance_profile="builder").missing) == {"iam:PassRole"}


def test_without_credentials_the_pre_check_says_so(
    aws: AwsServer, monkeypatch: pytest.MonkeyPatch, other_credentials: None
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(PreCheckFailed, match="no AWS credentials"):
        explained()


def test_the_facts_say_who_asks_and_where_that_was_said(aws: AwsServer) -> None:
    found = facts(region="eu-west-1")
    assert found["account"] == "123456789012"
    assert found["identity"].startswith("arn:aws:sts::123456789012:")
    assert found["credentials"] == "from the environment: AWS_ACCESS_KEY_ID"
    assert found["region"] == "eu-west-1 (--aws-region)"
    assert found["endpoint"] == f"{aws.url} (AWS_ENDPOINT_URL)"


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, {"instance type": "t3.micro", "reached by": "127.0.0.1/32", "volume": "16 GB gp3, encrypted"}),
        ({"instance_type": "t4g.micro", "image": "ubuntu-24.04"}, {"instance type": "t4g.micro", "user": "ubuntu"}),
        ({"spot": True, "spot_price": "0.02"}, {"bought": "on the spot market, for at most 0.02 USD an hour"}),
        ({"spot": True, "spot_fallback": True}, {"bought": "on the spot market; where it has none, on demand"}),
        ({"allow_cidr": ("0.0.0.0/0",)}, {"reached by": "0.0.0.0/0: everybody"}),
        ({"open_port": ("80", "53/udp", "8000-8010")}, {"open to everybody": "80, 53/udp, 8000-8010"}),
        ({"elastic_ip": True}, {"address": "an Elastic IP"}),
        ({"private_address_only": True}, {"address": "a private one only"}),
        ({"use_private_address": True},
         {"address": "a public one, another after each start; reached at its private one"}),
        ({"root_size": "30", "volume_iops": 4000, "volume_encryption": "off"},
         {"volume": "30 GB gp3, 4000 operations per second, not encrypted"}),
        ({"kms_key": "alias/mine", "volume_type": "gp2"}, {"volume": "16 GB gp2, encrypted with alias/mine"}),
        ({"termination_protection": True, "stop_protection": True}, {"protected from": "rm and stop"}),
        ({"tags": "team,web", "keypair_name": "mine"}, {"tags": "team=web", "key pair": "mine"}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, Mapping) else None,
)  # fmt: skip
def test_the_facts_say_what_would_be_made(aws: AwsServer, given: dict[str, Any], expected: Mapping[str, str]) -> None:
    aws.backend().create_key_pair("mine", "ed25519", {})
    found = facts(**given)
    assert {label: found.get(label) for label in expected} == expected


def test_the_facts_have_a_price_or_why_there_is_none(aws: AwsServer) -> None:
    assert facts()["price"] == "0.01196 USD an hour, without its disk"
    aws.fail("GetProducts", "AccessDeniedException")
    assert facts()["price"] == "not known: these credentials may not ask for it (pricing:GetProducts)"


def test_a_certain_answer_goes_before_a_doubt(aws: AwsServer, without: Policy) -> None:
    """The same tags are asked for by several calls; one that is sure decides."""
    aws.fail("CreateSecurityGroup", "IncorrectState", times=None)
    without("ec2:CreateTags")
    found = {each.permission: each for each in explained().missing}
    assert found["ec2:CreateTags"] == Missing(permission="ec2:CreateTags", needed_for="create")
    assert dataclasses.asdict(found["ec2:CreateSecurityGroup"])["doubt"]
