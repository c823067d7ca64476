"""Addresses: public ones that nobody has, private ones of the subnet.

Those of moto belong to somebody: a driver under test would knock at a stranger's port 22.
"""

from __future__ import annotations

import itertools
from typing import Any

from moto.ec2.models import EC2Backend, elastic_ip_addresses, elastic_network_interfaces
from moto.ec2.models.instance_types import INSTANCE_TYPE_OFFERINGS

# For documentation (RFC 5737): never routed.
_numbers = itertools.count()


def _public() -> str:
    number = next(_numbers)
    return f"{('203.0.113', '198.51.100')[number // 250 % 2]}.{number % 250 + 2}"


def _elastic() -> str:
    return f"192.0.2.{next(_numbers) % 250 + 2}"


elastic_network_interfaces.random_public_ip = _public
elastic_ip_addresses.random_ip = _elastic


def choose_subnet(backend: EC2Backend, asked: dict[str, Any]) -> None:
    """Put a launch that names no subnet into the default one of its zone, or of a zone that has the type."""
    if asked.get("SubnetId") or asked.get("NetworkInterfaces"):
        return
    defaults = backend.get_default_subnets() if backend.get_default_vpc() else {}
    zone = (asked.get("Placement") or {}).get("AvailabilityZone")
    offering = {
        each["Location"]
        for each in INSTANCE_TYPE_OFFERINGS["availability-zone"].get(backend.region_name, [])
        if each["InstanceType"] == asked.get("InstanceType")
    }
    for name in [zone] if zone else sorted(defaults, key=lambda each: (each not in offering, each)):
        if name in defaults:
            asked["SubnetId"] = defaults[name].id
            return
