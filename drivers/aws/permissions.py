"""What the account may not do: asked of EC2 itself, call by call, with ``DryRun``. Nothing is ever made or changed.

EC2 answers such a call with ``DryRunOperation`` or ``UnauthorizedOperation``, for the very request that would be made.
A call about something that exists is asked about something of this store. Where there is nothing yet, an id is used
that nobody has; then a refusal may come from a condition on its tags, and "not found" says nothing: both are doubts.
"""

from __future__ import annotations

import contextlib
import fnmatch
import re
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from machine.driver import Missing
from machine.drivers.aws import launch, marks
from machine.drivers.aws.account import Account
from machine.drivers.aws.errors import FORBIDDEN, code_of, message_of
from machine.drivers.aws.group import SSH, rules
from machine.drivers.aws.images import FAMILIES
from machine.drivers.aws.instances import ENDED, describe
from machine.drivers.aws.options import DEFAULT_IMAGE, DEFAULT_TYPE
from machine.drivers.aws.request import user_data_of
from machine.trust.sshkeys import new_private_key

_NOBODYS = "0123456789abcdef0"  # the end of an id that is well formed, and was never given out
_TOKEN = "permissions"  # noqa: S105 - in the place of an operation's token
_AT_ONCE = 6
_ALLOWED = "DryRunOperation"
_FEW = {"MaxResults": 5}


@dataclass(frozen=True, slots=True)
class _Question:
    """A call, and what it is needed for."""

    action: str
    needed_for: str
    ask: Callable[[], Any]
    about: str = ""  # an id that nobody has, where nothing of that kind exists: the answer is not the whole truth


def missing_permissions(account: Account, request: Mapping[str, Any]) -> list[Missing]:
    """What the life of a machine needs and these credentials may not do.

    Args:
        request: as the check resolved it; where that was refused, ``machine`` and ``store`` of it: then defaults are
            asked about.

    Raises:
        PreCheckFailed: there are no credentials, or none that are accepted.
    """
    account.identity()
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        answers = [each for each in pool.map(_answer, _questions(account, request)) if each is not None]
    certain = {each.permission: each for each in reversed(answers) if not each.doubt}
    return list({each.permission: certain.get(each.permission, each) for each in answers}.values())


def _answer(question: _Question) -> Missing | None:
    """None: it is allowed."""
    permission = question.action
    try:
        question.ask()
        return None
    except ClientError as error:
        code = code_of(error)
        if code == _ALLOWED:
            return None
        doubt = f"EC2 says {code}: {message_of(error)}"
        if code in FORBIDDEN:
            permission, doubt = _named(error) or permission, ""
    except BotoCoreError as error:
        doubt = message_of(error)
    if question.about:
        said = doubt or "EC2 refuses, as it does for a policy with a condition on tags"
        doubt = f"there is nothing yet to ask about, and of {question.about} {said}"
    return Missing(permission=permission, needed_for=question.needed_for, doubt=doubt)


def _named(error: ClientError) -> str:
    """The action that a refusal names: a call may lack one for its tags, or for a role that it hands on."""
    match = re.search(r"not authorized to perform:? ([a-z0-9-]+:[A-Za-z]+)", message_of(error))
    return match[1] if match else ""


def _questions(account: Account, request: Mapping[str, Any]) -> Iterator[_Question]:
    yield from _reads(account, request)
    yield from _creation(account, request)
    yield from _life(account, request)


def _reads(account: Account, request: Mapping[str, Any]) -> Iterator[_Question]:
    """Calls without effect are simply made, each for as little as there can be."""
    ec2 = account.reads()
    kind = request["run"]["InstanceType"] if "run" in request else DEFAULT_TYPE
    yield _Question("ec2:DescribeInstances", "ls and all else", partial(ec2.describe_instances, **_FEW))
    yield _Question("ec2:DescribeInstanceTypes", "create", partial(ec2.describe_instance_types, InstanceTypes=[kind]))
    yield _Question("ec2:DescribeSubnets", "create", partial(ec2.describe_subnets, **_FEW))
    yield _Question("ec2:DescribeImages", "create", partial(ec2.describe_images, Owners=["self"], **_FEW))
    if "run" not in request or _is_published(request["image"]["name"]):
        yield _Question("ssm:GetParameter", "create: the newest image", partial(_read_parameter, account))
    yield _Question("ec2:DescribeSecurityGroups", "create, rm, gc", partial(ec2.describe_security_groups, **_FEW))
    nothing = marks.marked(marks.OPERATION, _TOKEN)  # that call has no pages
    yield _Question("ec2:DescribeAddresses", "rm, gc", partial(ec2.describe_addresses, Filters=nothing))
    yield _Question("ec2:DescribeVolumes", "gc", partial(ec2.describe_volumes, **_FEW))
    mine = partial(ec2.describe_snapshots, OwnerIds=["self"], **_FEW)
    yield _Question("ec2:DescribeSnapshots", "gc", mine)
    yield _Question("ec2:DescribeNetworkInterfaces", "gc", partial(ec2.describe_network_interfaces, **_FEW))


def _is_published(image: str) -> bool:
    """Whether an image is one of those that are found by a parameter."""
    return any(fnmatch.fnmatch(image, family.pattern.format(arch="*")) for family in FAMILIES.values())


def _read_parameter(account: Account) -> None:
    ssm = account.reads("ssm")
    with contextlib.suppress(ssm.exceptions.ParameterNotFound):  # a region without it: it was allowed to ask
        ssm.get_parameter(Name=FAMILIES[DEFAULT_IMAGE].parameter.format(arch="amd64"))


def _creation(account: Account, request: Mapping[str, Any]) -> Iterator[_Question]:
    """The calls that make something, with what they would make."""
    dry = partial(_dry, account.reads())  # may be repeated, for it has no effect
    if "run" in request:
        user_data = user_data_of(request, new_private_key())
        for attempt in {each["market"]: each for each in request["attempts"]}.values():
            run = launch.run_arguments(request, _TOKEN, 0, attempt, user_data, request["groups"])
            del run["ClientToken"]
            yield _Question("ec2:RunInstances", "create", partial(dry, "run_instances", **run))
    else:
        run = {"ImageId": f"ami-{_NOBODYS}", "InstanceType": DEFAULT_TYPE, "MinCount": 1, "MaxCount": 1}
        tags = marks.specification(request, _TOKEN, "instance")
        ask = partial(dry, "run_instances", TagSpecifications=tags, **run)
        yield _Question("ec2:RunInstances", "create", ask, about=f"the image {run['ImageId']}")
    if "run" not in request or request["group"] is not None:
        wanted = {"GroupName": f"pymachine-{_TOKEN}", "Description": "a question"}
        if "run" in request:
            wanted["VpcId"] = request["group"]["vpc"]
        tags = marks.specification(request, _TOKEN, "security-group")
        yield _Question(
            "ec2:CreateSecurityGroup", "create", partial(dry, "create_security_group", TagSpecifications=tags, **wanted)
        )
    if request.get("elastic_ip"):
        tags = marks.specification(request, _TOKEN, "elastic-ip")
        ask = partial(dry, "allocate_address", Domain="vpc", TagSpecifications=tags)
        yield _Question("ec2:AllocateAddress", "create --aws-elastic-ip", ask)


def _life(account: Account, request: Mapping[str, Any]) -> Iterator[_Question]:
    """The calls about what is there: asked about what this store has, where it has something."""
    ec2 = account.reads()
    dry = partial(_dry, ec2)
    ours = marks.marked(marks.STORE, request["store"])
    of_store = _Ours(account, ours)
    instance, no_instance = of_store.instance()
    group, no_group = of_store.one("describe_security_groups", "SecurityGroups", "GroupId", "sg")
    for action, call, needed_for in (
        ("ec2:StartInstances", "start_instances", "start"),
        ("ec2:StopInstances", "stop_instances", "stop"),
        ("ec2:TerminateInstances", "terminate_instances", "rm"),
    ):
        yield _Question(action, needed_for, partial(dry, call, InstanceIds=[instance]), about=no_instance)
    if "run" not in request or request["group"] is not None:
        wanted = request["group"]["rules"] if "run" in request else rules(["192.0.2.1/32"], [str(SSH)], ipv6=False)
        ask = partial(dry, "authorize_security_group_ingress", GroupId=group, IpPermissions=wanted)
        yield _Question("ec2:AuthorizeSecurityGroupIngress", "create", ask, about=no_group)
        ask = partial(dry, "delete_security_group", GroupId=group)
        yield _Question("ec2:DeleteSecurityGroup", "rm", ask, about=no_group)
    volume, no_volume = of_store.one("describe_volumes", "Volumes", "VolumeId", "vol")
    yield _Question("ec2:DeleteVolume", "gc", partial(dry, "delete_volume", VolumeId=volume), about=no_volume)
    card, no_card = of_store.one("describe_network_interfaces", "NetworkInterfaces", "NetworkInterfaceId", "eni")
    ask = partial(dry, "delete_network_interface", NetworkInterfaceId=card)
    yield _Question("ec2:DeleteNetworkInterface", "gc", ask, about=no_card)
    if request.get("elastic_ip"):
        address, no_address = of_store.one("describe_addresses", "Addresses", "AllocationId", "eipalloc")
        ask = partial(dry, "associate_address", AllocationId=address, InstanceId=instance)
        yield _Question("ec2:AssociateAddress", "create --aws-elastic-ip", ask, about=no_address or no_instance)
        ask = partial(dry, "release_address", AllocationId=address)
        yield _Question("ec2:ReleaseAddress", "rm", ask, about=no_address)


class _Ours:
    """Something of each kind that carries a store's mark, or else an id that nobody has."""

    def __init__(self, account: Account, filters: list[dict[str, Any]]) -> None:
        self._account = account
        self._filters = filters

    def instance(self) -> tuple[str, str]:
        """An instance that has not ended, and how it is called where there is none."""
        with contextlib.suppress(ClientError, BotoCoreError):  # whoever may not look asks about nobody's
            found = [each for each in describe(self._account, self._filters) if each["State"]["Name"] not in ENDED]
            if found:
                return str(found[0]["InstanceId"]), ""
        return f"i-{_NOBODYS}", f"i-{_NOBODYS}"

    def one(self, call: str, key: str, key_of_id: str, prefix: str) -> tuple[str, str]:
        """Anything else, by the call that lists its kind."""
        with contextlib.suppress(ClientError, BotoCoreError):
            found = getattr(self._account.reads(), call)(Filters=self._filters)[key]
            if found:
                return str(found[0][key_of_id]), ""
        return f"{prefix}-{_NOBODYS}", f"{prefix}-{_NOBODYS}"


def _dry(ec2: Any, call: str, **arguments: Any) -> None:
    getattr(ec2, call)(DryRun=True, **arguments)
