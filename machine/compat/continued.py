"""Machines of docker-machine's that a driver here can go on with: what it must know, out of the fields of config.json.

Its credentials are not taken along: a driver finds those that the operator has now.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Continued:
    """What the driver that goes on with a machine is told of it."""

    driver: str  # by its name here
    account: Mapping[str, Any]  # whom it asks; no secret
    options: Mapping[str, Any] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def continued(kind: str, fields: Mapping[str, Any]) -> Continued | None:
    """How a machine of a driver of docker-machine's goes on; None: nobody here can go on with it.

    Args:
        fields: of the driver, as config.json has them.
    """
    reader = _READERS.get(kind)
    return reader(fields) if reader is not None else None


def _amazonec2(fields: Mapping[str, Any]) -> Continued:
    """drivers/amazonec2/amazonec2.go: its key pair is removed with the machine there, its group never is."""

    def text(key: str) -> str:
        value = fields.get(key)
        return value if isinstance(value, str) else ""

    account = {"region": text("Region") or "us-east-1"}
    endpoint = text("Endpoint")
    if endpoint:
        scheme = "http" if fields.get("DisableSSL") else "https"
        account["endpoint_url"] = endpoint if "://" in endpoint else f"{scheme}://{endpoint}"
    options = {"instance_type": text("InstanceType"), "subnet_id": text("SubnetId"), "vpc_id": text("VpcId")}
    notes = ["start, stop and rm ask EC2 with the credentials that you have there now: AWS_PROFILE, or a key"]
    if text("KeyName") and not fields.get("ExistingKey"):
        notes.append(
            f"rm leaves the key pair that was made for it: aws ec2 delete-key-pair --key-name {text('KeyName')}"
        )
    return Continued(
        driver="aws",
        account=account,
        options={"region": account["region"], **{key: value for key, value in options.items() if value}},
        data={"private": bool(fields.get("PrivateIPOnly") or fields.get("UsePrivateIP"))},
        notes=tuple(notes),
    )


_READERS: dict[str, Callable[[Mapping[str, Any]], Continued]] = {"amazonec2": _amazonec2}
