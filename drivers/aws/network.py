"""Where in a region: the subnet, the zone and the VPC, from as little as was said."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from botocore.exceptions import ClientError

from machine.driver import Notes
from machine.drivers.aws.account import Account
from machine.drivers.aws.errors import FORBIDDEN, NOT_FOUND, code_of
from machine.errors import PreCheckFailed

_MAX_AGE = 24 * 3600.0  # seconds: a subnet that is deleted is a refusal of the next create, which then asks again

_NO_NETWORK = ("disassociating", "disassociated", "failing", "failed")  # of IPv6: the ends of a subnet's having one


@dataclass(frozen=True, slots=True)
class Subnet:
    """A subnet, as far as a request needs to know it."""

    id: str
    vpc: str
    zone: str
    ipv6: bool  # it has a network of these
    public: bool  # what is in it gets a public address unasked


def find_subnets(
    account: Account, notes: Notes, who: str, *, subnet: str | None, vpc: str | None, zone: str | None
) -> list[Subnet]:
    """The subnets a machine may be in, the best first; one where it was said, or for each zone one.

    Args:
        who: the account's number: default VPCs are its own.
        zone: its letter or its name.

    Raises:
        PreCheckFailed: there is none; says what is missing.
    """
    if zone and len(zone) == 1:
        zone = f"{account.region}{zone}"
    key = f"aws subnets {who} {account.region} {account.endpoint or ''} {subnet} {vpc} {zone}"
    noted = notes.get(key, _MAX_AGE)
    if noted is not None:
        return [Subnet(**each) for each in noted]
    found = _ask(account, subnet=subnet, vpc=vpc, zone=zone)
    if not found:
        raise _none(account, subnet=subnet, vpc=vpc, zone=zone)
    best: dict[str, Subnet] = {}
    for each in sorted(found, key=lambda one: (one["AvailabilityZone"], -one.get("AvailableIpAddressCount", 0))):
        ipv6 = any(part.get("Ipv6CidrBlockState", {}).get("State") not in _NO_NETWORK
                   for part in each.get("Ipv6CidrBlockAssociationSet", ()))  # fmt: skip
        made = Subnet(
            each["SubnetId"], each["VpcId"], each["AvailabilityZone"], ipv6, bool(each.get("MapPublicIpOnLaunch"))
        )
        best.setdefault(made.zone, made)
    subnets = list(best.values())
    if subnet is None and vpc is None and len({each.vpc for each in subnets}) > 1:
        subnets = [each for each in subnets if each.vpc == subnets[0].vpc]
    notes.put(key, [asdict(each) for each in subnets])
    return subnets


def _ask(account: Account, *, subnet: str | None, vpc: str | None, zone: str | None) -> list[dict[str, Any]]:
    filters = [{"Name": "state", "Values": ["available"]}]
    if zone:
        filters.append({"Name": "availability-zone", "Values": [zone]})
    if vpc:
        filters.append({"Name": "vpc-id", "Values": [vpc]})
    elif not subnet:
        filters.append({"Name": "default-for-az", "Values": ["true"]})  # of the default VPC: one call instead of two
    with account.errors("look for a subnet", pre_check=True):
        ec2 = account.reads()
        try:
            given = {"SubnetIds": [subnet]} if subnet else {}
            found: list[dict[str, Any]] = ec2.describe_subnets(Filters=filters, **given)["Subnets"]
        except ec2.exceptions.ClientError as error:
            if code_of(error) not in NOT_FOUND | {"InvalidSubnetID.NotFound", "InvalidSubnetId.NotFound"}:
                raise
            return []
    return found


def _none(account: Account, *, subnet: str | None, vpc: str | None, zone: str | None) -> PreCheckFailed:
    where = account.region
    if subnet:
        also = " and ".join(f"{text}" for text in (vpc and f"in {vpc}", zone and f"in the zone {zone}") if text)
        return PreCheckFailed(
            f"there is no subnet {subnet} {also or f'in {where}'}", hint="see them: aws ec2 describe-subnets"
        )
    if vpc:
        if not _has_vpc(account, vpc):
            return PreCheckFailed(f"there is no VPC {vpc} in {where}", hint="see them: aws ec2 describe-vpcs")
        return PreCheckFailed(
            f"the VPC {vpc} has no subnet{f' in the zone {zone}' if zone else ''}",
            hint=f"make one (aws ec2 create-subnet --vpc-id {vpc} …), or choose another with --aws-vpc-id",
        )
    if zone:
        return PreCheckFailed(
            f"there is no default subnet in the zone {zone}",
            hint="choose another --aws-zone, or give --aws-subnet-id",
        )
    return PreCheckFailed(
        f"the account has no default VPC with subnets in {where}",
        hint="make one (aws ec2 create-default-vpc), or give --aws-subnet-id",
    )


def _has_vpc(account: Account, vpc: str) -> bool:
    """Whether there is such a VPC; also where we may not ask."""
    with account.errors("look for the VPC", pre_check=True):
        try:
            return bool(account.reads().describe_vpcs(Filters=[{"Name": "vpc-id", "Values": [vpc]}])["Vpcs"])
        except ClientError as error:
            if code_of(error) in FORBIDDEN:
                return True
            raise
