"""What an instance type is: its architecture, and whether there is one of this name."""

from __future__ import annotations

import difflib
from dataclasses import asdict, dataclass

from machine.driver import Notes
from machine.drivers.aws.account import Account
from machine.drivers.aws.errors import code_of
from machine.errors import PreCheckFailed

_MAX_AGE = 30 * 24 * 3600.0  # seconds


@dataclass(frozen=True, slots=True)
class InstanceType:
    """An instance type, as far as a request needs to know it."""

    name: str
    architecture: str  # x86_64, arm64
    cpus: int
    memory: int  # MiB


def find_type(account: Account, notes: Notes, name: str) -> InstanceType:
    """The type of this name.

    Raises:
        PreCheckFailed: the region has none; close matches are named.
    """
    key = f"aws type {account.region} {account.endpoint or ''} {name}"
    noted = notes.get(key, _MAX_AGE)
    if noted is not None:
        return InstanceType(**noted)
    with account.errors(f"look at the instance type {name}", pre_check=True):
        ec2 = account.reads()
        try:
            found = ec2.describe_instance_types(InstanceTypes=[name])["InstanceTypes"]
        except ec2.exceptions.ClientError as error:
            if code_of(error) != "InvalidInstanceType":
                raise
            found = []
    if not found:
        raise PreCheckFailed(f"there is no instance type {name} in {account.region}", hint=_near(account, name))
    architectures = found[0]["ProcessorInfo"]["SupportedArchitectures"]
    made = InstanceType(
        name=name,
        architecture=next((each for each in ("x86_64", "arm64") if each in architectures), architectures[0]),
        cpus=int(found[0]["VCpuInfo"]["DefaultVCpus"]),
        memory=int(found[0]["MemoryInfo"]["SizeInMiB"]),
    )
    notes.put(key, asdict(made))
    return made


def _near(account: Account, name: str) -> str:
    """What may have been meant; looking for it is worth the calls, for nothing is going to be made."""
    with account.errors("list the instance types", pre_check=True):
        pages = account.reads().get_paginator("describe_instance_type_offerings").paginate()
        known = [each["InstanceType"] for page in pages for each in page["InstanceTypeOfferings"]]
    close = difflib.get_close_matches(name, known, n=3)
    return f"did you mean {' or '.join(close)}?" if close else "see them: aws ec2 describe-instance-type-offerings"
