"""What EC2 does not launch, and what it says then."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from moto.ec2.models import EC2Backend
from moto.ec2.models.instance_types import INSTANCE_TYPE_OFFERINGS, INSTANCE_TYPES
from moto.ssm.models import ssm_backends

from tests.testbed.aws.truths.errors import Refused
from tests.testbed.aws.world import WORLD

USER_DATA_LIMIT = 16384  # bytes, before base64
DEFAULT_TYPE = "m1.small"
_TAGGABLE = (
    "instance", "volume", "network-interface", "spot-instances-request", "elastic-gpu", "launch-template",
)  # fmt: skip
_STANDARD = "acdhimrtz"  # families in the quota


def image(backend: EC2Backend, asked: dict[str, Any]) -> Any:
    """The image of a request, which may name it by an SSM parameter.

    Raises:
        Refused: there is none, or it is not ready.
    """
    named = asked.get("ImageId")
    if not named:
        raise Refused("MissingParameter", "The request must contain the parameter ImageId")
    if named.startswith("resolve:ssm:"):
        name = named.removeprefix("resolve:ssm:")
        parameter = ssm_backends[backend.account_id][backend.region_name].get_parameter(name)
        if parameter is None:
            raise Refused("InvalidParameterValue", f"The SSM parameter {name} was not found")
        named = asked["ImageId"] = parameter.value
    if not named.startswith("ami-"):
        raise Refused("InvalidAMIID.Malformed", f'Invalid id: "{named}" (expecting "ami-...")')
    found = backend.amis.get(named)
    if found is None:
        raise Refused("InvalidAMIID.NotFound", f"The image id '[{named}]' does not exist")
    if found.state != "available":
        raise Refused("InvalidAMIID.Unavailable", f"The image ID '{named}' is not available")
    return found


def asked_zone(backend: EC2Backend, asked: dict[str, Any]) -> str | None:
    """The zone that a request names, by its name or by a subnet; None: any."""
    subnet = asked.get("SubnetId")
    for interface in asked.get("NetworkInterfaces") or []:
        subnet = subnet or interface.get("SubnetId")
    if subnet:
        return next((zone for zone, subnets in backend.subnets.items() if subnet in subnets), None)
    return (asked.get("Placement") or {}).get("AvailabilityZone")


def check(backend: EC2Backend, asked: dict[str, Any], image: Any) -> None:
    """Refuse what cannot be launched.

    Raises:
        Refused: with EC2's code.
    """
    _user_data(asked.get("UserData"))
    _kind(backend, asked, image)
    _key(backend, asked.get("KeyName"))
    _groups(backend, asked)
    for each in asked.get("TagSpecifications") or []:
        if each.get("ResourceType") not in _TAGGABLE:
            raise Refused(
                "InvalidParameterValue",
                f"'{each.get('ResourceType')}' is not a valid taggable resource type for this operation.",
            )


def user_data(value: Any) -> bytes:
    """User data as it was before base64.

    Raises:
        Refused: it is not base64, or too much.
    """
    _user_data(value)
    return base64.b64decode(str(value)) if value else b""


def within_quota(backend: EC2Backend, asked: dict[str, Any], count: int) -> None:
    """Refuse what is over the quota of vCPUs.

    Raises:
        Refused: with EC2's code.
    """
    is_spot = (asked.get("InstanceMarketOptions") or {}).get("MarketType") == "spot"
    limit = WORLD.spot_vcpus if is_spot else WORLD.vcpus
    if limit is None:
        return
    used = sum(
        _vcpus(instance.instance_type)
        for instance in backend.all_instances()
        if instance.state in ("pending", "running") and (instance.lifecycle == "spot") == is_spot
    )
    if used + count * _vcpus(asked.get("InstanceType", DEFAULT_TYPE)) <= limit:
        return
    if is_spot:
        raise Refused("MaxSpotInstanceCountExceeded", "Max spot instance count exceeded")
    raise Refused(
        "VcpuLimitExceeded",
        f"You have requested more vCPU capacity than your current vCPU limit of {limit} allows for the instance bucket "
        "that the specified instance type belongs to. Please visit http://aws.amazon.com/contact-us/ec2-request to "
        "request an adjustment to this limit.",
    )


def architectures(kind: str) -> list[str]:
    """What an instance type can run."""
    return INSTANCE_TYPES[kind]["ProcessorInfo"]["SupportedArchitectures"]


def _user_data(value: Any) -> None:
    if not value:
        return
    try:
        raw = base64.b64decode(str(value), validate=True)
    except binascii.Error as error:
        raise Refused("InvalidUserData.Malformed", "Invalid BASE64 encoding of user data.") from error
    if len(raw) > USER_DATA_LIMIT:
        raise Refused("InvalidParameterValue", f"User data is limited to {USER_DATA_LIMIT} bytes")


def _kind(backend: EC2Backend, asked: dict[str, Any], image: Any) -> None:
    kind = asked.get("InstanceType", DEFAULT_TYPE)
    if kind not in INSTANCE_TYPES:
        raise Refused("InvalidParameterValue", f"Invalid value '{kind}' for InstanceType.")
    if image.architecture not in architectures(kind):
        raise Refused(
            "InvalidParameterValue",
            f"The architecture '{architectures(kind)[0]}' of the specified instance type does not match the "
            f"architecture '{image.architecture}' of the specified AMI. Specify an instance type and an AMI that have "
            "matching architectures, and try again. You can use 'describe-instance-types' or 'describe-images' to "
            "discover the architecture of the instance type or AMI.",
        )
    zones = {
        each["Location"]
        for each in INSTANCE_TYPE_OFFERINGS["availability-zone"].get(backend.region_name, [])
        if each["InstanceType"] == kind
    }
    zone = asked_zone(backend, asked)
    if zone is not None and zones and zone not in zones and zone.startswith(backend.region_name):
        raise Refused(
            "Unsupported",
            f"Your requested instance type ({kind}) is not supported in your requested Availability Zone ({zone}). "
            "Please retry your request by not specifying an Availability Zone or choosing "
            f"{', '.join(sorted(zones))}.",
        )


def _key(backend: EC2Backend, name: str | None) -> None:
    if name and name not in backend.key_pairs:
        raise Refused("InvalidKeyPair.NotFound", f"The key pair '{name}' does not exist")


def _groups(backend: EC2Backend, asked: dict[str, Any]) -> None:
    for name in asked.get("SecurityGroups") or []:
        if backend.get_security_group_by_name_or_id(name, backend.default_vpc.id) is None:
            raise Refused(
                "InvalidGroup.NotFound",
                f"The security group '{name}' does not exist in default VPC '{backend.default_vpc.id}'",
            )
    ids = list(asked.get("SecurityGroupIds") or [])
    for interface in asked.get("NetworkInterfaces") or []:
        ids += interface.get("Groups") or []
    for each in ids:
        if backend.get_security_group_from_id(each) is None:
            raise Refused("InvalidGroup.NotFound", f"The security group '{each}' does not exist")


def _vcpus(kind: str) -> int:
    return INSTANCE_TYPES[kind]["VCpuInfo"]["DefaultVCpus"] if kind[0] in _STANDARD else 0
