"""DescribeInstances: a new instance may be missing for a while; a terminated one has no address any more."""

from __future__ import annotations

from typing import Any

from moto.ec2.exceptions import InvalidInstanceIdError
from moto.ec2.models.instances import Instance
from moto.ec2.responses.instances import InstanceResponse

from tests.testbed.aws.truths.errors import params
from tests.testbed.aws.world import wraps


@wraps(InstanceResponse, "describe_instances")
def _describe(original: Any, self: InstanceResponse) -> Any:
    asked = params(self).get("InstanceIds") or []
    missing = set()
    for instance in self.ec2_backend.all_instances():
        if getattr(instance, "unseen", 0) and (not asked or instance.id in asked):
            instance.unseen -= 1
            missing.add(instance.id)
    unseen = [each for each in asked if each in missing]
    if unseen:
        raise InvalidInstanceIdError(unseen)
    result = original(self)
    if missing:
        for reservation in result.result["Reservations"]:
            reservation.instances = [each for each in reservation.instances if each.id not in missing]
        result.result["Reservations"] = [each for each in result.result["Reservations"] if each.instances]
    return result


def _without_interface(name: str, otherwise: Any = None) -> None:
    original = getattr(Instance, name).fget

    def value(self: Instance) -> Any:
        return original(self) if 0 in self.nics else otherwise

    setattr(Instance, name, property(value))


for _name in ("private_ip", "private_ip_address", "public_ip", "public_ip_address", "public_dns_name"):
    _without_interface(_name)
_without_interface("private_dns_name", "")
