"""RunInstances: what is launched is what was asked for, once per client token."""

from __future__ import annotations

import copy
from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.models.instances import Instance, Reservation
from moto.ec2.responses.instances import InstanceResponse

from tests.testbed.aws.truths import addresses, lifecycle, refusals, spot, templates
from tests.testbed.aws.truths.devices import complete as complete_devices
from tests.testbed.aws.truths.errors import Refused, params, reply
from tests.testbed.aws.truths.tokens import tokens
from tests.testbed.aws.world import WORLD, wraps

_CAPACITY = ("InsufficientInstanceCapacity", "MaxSpotInstanceCountExceeded", "SpotMaxPriceTooLow", "Unsupported")


@wraps(InstanceResponse, "run_instances")
def _run_instances(original: Any, self: InstanceResponse) -> Any:
    with WORLD.lock:
        asked, backend = params(self), self.ec2_backend
        token, zone = asked.get("ClientToken"), refusals.asked_zone(backend, asked)
        if asked.get("DryRun"):
            token = None
        try:
            if token:
                made = tokens(backend).look(token, zone, dict(self.querystring))
                if made is not None:
                    return ActionResult(copy.copy(made))
            return ActionResult(_launch(original, self, token, zone))
        except Refused as error:
            if token and error.code not in _CAPACITY and not error.code.startswith("Idempotent"):
                tokens(backend).forget(token, zone)
            if error.status == 400:
                raise
            return reply(error)


def _launch(original: Any, response: InstanceResponse, token: str | None, zone: str | None) -> Reservation:
    asked, backend = params(response), response.ec2_backend
    templates.merge(backend, asked)
    image = refusals.image(backend, asked)
    refusals.check(backend, asked, image)
    addresses.choose_subnet(backend, asked)
    asked["BlockDeviceMappings"] = complete_devices(backend, asked, image)
    count = int(asked.get("MaxCount") or 1)
    asked["MinCount"] = count  # moto makes the least of what is asked for, EC2 the most
    response.error_on_dryrun()
    if WORLD.refusal is not None:
        raise Refused(*WORLD.refusal)
    refusals.within_quota(backend, asked, count)
    reservation: Reservation = original(response).result
    reservation.instances = [_complete(instance, asked) for instance in reservation.instances]
    if token:
        tokens(backend).made(token, zone, reservation)
    return reservation


def _complete(instance: Instance, asked: dict[str, Any]) -> Instance:
    """What moto has lost of the request."""
    backend = instance.ec2_backend
    instance.client_token = asked.get("ClientToken")
    instance.disable_api_termination = bool(asked.get("DisableApiTermination"))
    placement = asked.get("Placement") or {}
    instance.placement.tenancy = placement.get("Tenancy", "default")
    instance.placement.group_name = placement.get("GroupName", "")
    reservation = asked.get("CapacityReservationSpecification") or {"CapacityReservationPreference": "open"}
    instance.capacity_reservation_specification = reservation
    target = reservation.get("CapacityReservationTarget") or {}
    instance.capacity_reservation_id = target.get("CapacityReservationId")
    instance.unseen = WORLD.unseen
    tags = _tags(asked)
    _interfaces(instance, asked.get("NetworkInterfaces") or [], tags.get("network-interface", {}))
    if not instance.security_groups:
        instance.security_groups = list(instance.nics[0].group_set)
    if (asked.get("InstanceMarketOptions") or {}).get("MarketType") == "spot":
        spot.request(backend, instance, asked, tags.get("spot-instances-request", {}))
    lifecycle.launched(instance)
    return instance


def _interfaces(instance: Instance, asked: list[dict[str, Any]], tags: dict[str, str]) -> None:
    wanted = {int(each.get("DeviceIndex", 0)): each for each in asked}
    for index, interface in instance.nics.items():
        spec = wanted.get(index, {})
        interface.delete_on_termination = bool(spec.get("DeleteOnTermination", "NetworkInterfaceId" not in spec))
        interface.add_tags(tags)
        interface.ipv6_addresses += [each["Ipv6Address"] for each in spec.get("Ipv6Addresses", [])]
        blocks = list(interface.subnet.ipv6_cidr_block_associations.values())
        for number in range(int(spec.get("Ipv6AddressCount") or 0)):
            if not blocks:
                raise Refused("InvalidParameterValue", f"The subnet {interface.subnet.id} has no IPv6 CIDR block.")
            prefix = blocks[0]["ipv6CidrBlock"].partition("/")[0].rstrip(":")
            interface.ipv6_addresses.append(f"{prefix}::{len(instance.ec2_backend.enis):x}:{number + 1:x}")


def _tags(asked: dict[str, Any]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for each in asked.get("TagSpecifications") or []:
        found.setdefault(each["ResourceType"], {}).update({tag["Key"]: tag["Value"] for tag in each.get("Tags", [])})
    return found
