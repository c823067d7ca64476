"""The policies of docs/aws-iam.md are enough, are the smallest ones, and reach nothing that is not marked.

moto knows no resources and no conditions for users: for it they are taken off. What EC2 documents to be looked at for
each call (``LOOKED_AT``, `_resources`) is held against the statements as they are written, with what was really sent.
"""

from __future__ import annotations

import ast
import contextlib
import fnmatch
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore import xform_name

from machine.store.store import Store
from tests.aws.world import AwsWorld, left
from tests.faults.nursery import Ended
from tests.testbed.aws.server import Call

ROOT = Path(__file__).parents[2]
BLOCKS = [
    json.loads(text) for text in re.findall(r"```json\n(.*?)```", (ROOT / "docs/aws-iam.md").read_text(), re.DOTALL)
]
POLICY, *OPTIONAL = BLOCKS
LIFE = ("create -d aws web", "ls", "stop web", "start web", "rm -y web")
STORE = "aws:RequestTag/pymachine:store"
MARK = "ec2:ResourceTag/pymachine:store"
# What is asked of EC2 about something that is there, and of which kind it is.
# https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonec2.html
LOOKED_AT = {
    "AuthorizeSecurityGroupIngress": ("security-group",),
    "DeleteNetworkInterface": ("network-interface",),
    "DeleteSecurityGroup": ("security-group",),
    "DeleteVolume": ("volume",),
    "StartInstances": ("instance",),
    "StopInstances": ("instance",),
    "TerminateInstances": ("instance",),
    "AssociateAddress": ("elastic-ip", "instance"),
    "ReleaseAddress": ("elastic-ip",),
}
USED = {"RunInstances": ("image", "subnet", "security-group"), "CreateSecurityGroup": ("vpc",)}


class Operator(AwsWorld):
    """A world whose commands have the key of one user."""

    key: Mapping[str, str] = {}

    @property
    def environment(self) -> dict[str, str]:
        return super().environment | self.key

    def is_allowed(self, *actions: str) -> None:
        """From now on this and nothing else is allowed."""
        made = self.server.enforce(
            {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": list(actions), "Resource": "*"}]}
        )
        self.key = {"AWS_ACCESS_KEY_ID": made.access_key_id, "AWS_SECRET_ACCESS_KEY": made.secret_access_key}


@pytest.fixture
def operator(world: AwsWorld) -> Operator:
    return Operator(world.directory, world.nursery, world.server, prelude="tests.aws.child:quick")


def _list(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value)


def actions(statements: Sequence[Mapping[str, Any]]) -> list[str]:
    """All of their actions, each once."""
    return list(dict.fromkeys(each for one in statements for each in _list(one["Action"])))


ACTIONS = actions(POLICY["Statement"])


def lost(operator: Operator) -> None:
    """Leave one thing of each kind that only gc can find: a machine's record, and its disk and its card."""
    with contextlib.closing(Store(str(operator.store))) as store:
        tags = {"pymachine:store": store.id, "pymachine:machine": "web"}
    tags["pymachine:operation"] = operator.rows("SELECT token FROM operations")[0]["token"]
    backend = operator.server.backend()
    subnet = next(iter(backend.describe_subnets()))
    backend.create_volume(size=1, zone_name="eu-central-1a").add_tags(tags)
    backend.create_network_interface(subnet, "10.0.0.9").add_tags(tags)


def lived(operator: Operator) -> list[Ended]:
    """A machine's life, and what gc makes of what was lost."""
    ended = operator.run(*LIFE)
    if any(each.code for each in ended):
        return ended
    lost(operator)
    return [*ended, *operator.run("gc -y")]


def test_the_policy_is_enough_for_a_machine_s_whole_life(operator: Operator) -> None:
    operator.is_allowed(*ACTIONS)
    for ended in lived(operator):
        assert ended.code == 0, ended
    assert left(operator.server) == []


@pytest.mark.parametrize("action", ACTIONS)
def test_without_any_one_of_its_actions_something_fails(operator: Operator, action: str) -> None:
    operator.is_allowed(*(each for each in ACTIONS if each != action))
    failed = [ended for ended in lived(operator) if ended.code != 0]
    assert any("AWS does not let these credentials" in ended.said for ended in failed), failed


@pytest.mark.parametrize("action", ACTIONS)
def test_a_check_names_the_action_that_is_missing_before_anything_fails(operator: Operator, action: str) -> None:
    operator.ok("create -d aws web")
    lost(operator)
    operator.is_allowed(*(each for each in ACTIONS if each != action))
    (said,) = operator.run("drivers check aws")
    assert said.code == 3, said
    assert re.findall(r"^  (\w+:\w+) \(for", said.err, re.MULTILINE) == [action]


def test_a_check_finds_nothing_missing_that_the_policy_has(operator: Operator) -> None:
    operator.is_allowed(*ACTIONS)
    operator.ok("drivers check aws", "create -d aws --dry-run web")


def test_every_call_of_the_driver_is_in_the_document_and_no_action_is_there_for_nothing() -> None:
    known = set(actions([*POLICY["Statement"], *(each for block in OPTIONAL for each in block)]))
    handed_on = {"ec2:CreateTags", "iam:PassRole"}  # parameters of other calls need them
    called = set(_called())
    assert called - known == {"sts:GetCallerIdentity"}
    assert known - called <= handed_on


def test_no_policy_has_a_star_in_an_action_or_the_same_action_for_everything() -> None:
    statements = [*POLICY["Statement"], *(each for block in OPTIONAL for each in block)]
    for statement in statements:
        assert statement["Effect"] == "Allow"
        assert not [each for each in _list(statement["Action"]) if "*" in each]
        if statement["Resource"] == "*":
            assert all(re.match(r"(ec2:Describe|pricing:)", each) for each in _list(statement["Action"])), statement


def test_its_conditions_let_through_what_is_marked_and_nothing_else(operator: Operator) -> None:
    operator.ok(*LIFE)
    lost(operator)
    operator.ok("gc -y", "create -d aws --aws-elastic-ip --aws-spot web", "rm -y web")
    statements = [*POLICY["Statement"], *OPTIONAL[0]]
    calls = [call for call in operator.server.calls if call.service == "ec2" and not call.action.startswith("Describe")]
    assert {call.action for call in calls} == {*LOOKED_AT, *USED, "AllocateAddress"}
    for call in calls:
        for action, kind, context in _resources(call):
            assert allows(statements, action, kind, context), (action, kind, context)
            if kind not in USED.get(call.action, ()):
                assert not allows(statements, action, kind, {}), (action, kind)


@pytest.mark.parametrize("block", range(len(OPTIONAL)))
def test_what_an_option_needs_further_lets_nothing_unmarked_be_changed(block: int) -> None:
    for statement in OPTIONAL[block]:
        changes = [
            each for each in _list(statement["Action"]) if not re.match(r"ec2:(Describe|RunInstances)|pricing:", each)
        ]
        assert not changes or "Condition" in statement


def allows(statements: Sequence[Mapping[str, Any]], action: str, kind: str, context: Mapping[str, str]) -> bool:
    """Whether a statement allows an action on a resource of a kind."""
    owner = "" if kind in ("image", "snapshot") else "123456789012"
    arn = f"arn:aws:ec2:eu-central-1:{owner}:{kind}/x-1"
    return any(
        action in _list(each["Action"])
        and any(fnmatch.fnmatchcase(arn, pattern) for pattern in _list(each["Resource"]))
        and all(
            key in context and any(fnmatch.fnmatchcase(context[key], value) for value in _list(values))
            for keys in each.get("Condition", {}).values()
            for key, values in keys.items()
        )
        for each in statements
    )


def _resources(call: Call) -> Iterator[tuple[str, str, dict[str, str]]]:
    """What EC2 looks at for a call: the action, the kind of resource, and the keys of conditions with their values."""
    action = f"ec2:{call.action}"
    for kind in LOOKED_AT.get(call.action, ()):
        yield action, kind, {MARK: "a store"}  # everything it was called about is marked: it was made by these calls
    for kind in USED.get(call.action, ()):
        yield action, kind, {}
    for number in range(1, 9):
        kind = call.params.get(f"TagSpecification.{number}.ResourceType")
        if kind is not None:
            tags = _tags(call.params, f"TagSpecification.{number}.Tag.")
            yield action, kind, tags
            yield "ec2:CreateTags", kind, {**tags, "ec2:CreateAction": call.action}


def _tags(params: Mapping[str, Any], prefix: str) -> dict[str, str]:
    keys = {
        name.removesuffix(".Key"): value
        for name, value in params.items()
        if name.startswith(prefix) and name.endswith(".Key")
    }
    return {f"aws:RequestTag/{value}": params[f"{name}.Value"] for name, value in keys.items()}


def _called() -> Iterator[str]:
    """Every action that the code of the driver names, as a method of a client or as a word for one."""
    session = botocore.session.get_session()
    names = {
        xform_name(name): f"{service}:{name}"
        for service in ("ec2", "ssm", "sts", "pricing")
        for name in session.get_service_model(service).operation_names
    }
    for path in (ROOT / "drivers/aws").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            word = (
                node.attr if isinstance(node, ast.Attribute) else node.value if isinstance(node, ast.Constant) else ""
            )
            if isinstance(word, str) and word in names:
                yield names[word]
