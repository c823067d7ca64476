"""Spot instances: the request behind one, and EC2 taking one back."""

from __future__ import annotations

from typing import Any

from moto.core.utils import utcnow
from moto.ec2.models import EC2Backend, ec2_backends
from moto.ec2.models.instances import Instance
from moto.ec2.models.spot_requests import SpotInstanceRequest
from moto.ec2.utils import random_spot_request_id

from tests.testbed.aws.truths.errors import Refused
from tests.testbed.aws.world import WORLD, wraps

PREEMPTED = "Server.SpotInstanceTermination"


class SpotRequest(SpotInstanceRequest):
    """The request that comes with an instance, instead of one that makes an instance."""

    def __init__(self, backend: EC2Backend, instance: Instance, options: dict[str, Any]) -> None:
        self.ec2_backend = backend
        self.id = random_spot_request_id()
        self.instance = instance
        self.state, self._status_code, self.status_message = "active", "fulfilled", "Your spot request is fulfilled."
        self.price = options.get("MaxPrice", "")
        self.type = options.get("SpotInstanceType", "one-time")
        self.instance_interruption_behaviour = options.get("InstanceInterruptionBehavior", "terminate")
        self.valid_from = self.valid_until = self.launch_group = self.availability_zone_group = None
        self.spot_fleet_id = self.launch_specification = None
        self.made = utcnow()

    @property
    def create_time(self) -> Any:
        """When it was made."""
        return self.made

    def end(self, state: str, status: str) -> None:
        """It is over."""
        self.state, self._status_code = state, status


def request(backend: EC2Backend, instance: Instance, asked: dict[str, Any], tags: dict[str, str]) -> None:
    """Make the request behind a new spot instance."""
    made = SpotRequest(backend, instance, asked["InstanceMarketOptions"].get("SpotOptions") or {})
    made.add_tags(tags)
    backend.spot_instance_requests[made.id] = made
    instance.lifecycle, instance.spot_instance_request_id = "spot", made.id


def may_stop(instance: Instance) -> None:
    """Refuse to stop an instance that would never come back.

    Raises:
        Refused: its request is a one-time one.
    """
    made = _of(instance)
    if made is not None and made.type == "one-time":
        raise Refused(
            "UnsupportedOperation",
            f"You can't stop the Spot Instance '{instance.id}' because it is associated with a one-time Spot Instance "
            "request. You can only stop Spot Instances associated with persistent Spot Instance requests.",
        )


def ended(instance: Instance, code: str) -> None:
    """An instance is terminated: its request says why."""
    made = _of(instance)
    if made is not None:
        made.end("closed", "instance-terminated-no-capacity" if code == PREEMPTED else "instance-terminated-by-user")


def preempt(instance_id: str) -> None:
    """Let EC2 take a spot instance back, in whichever region it is.

    Raises:
        KeyError: there is no such spot instance.
    """
    from tests.testbed.aws.truths import lifecycle

    with WORLD.lock:
        for regions in ec2_backends.values():
            for backend in regions.values():
                instance = backend.get_instance_by_id(instance_id)
                if instance is not None and instance.lifecycle == "spot":
                    lifecycle.terminate(instance, PREEMPTED, f"{PREEMPTED}: Spot instance termination")
                    return
    raise KeyError(instance_id)


def _of(instance: Instance) -> SpotRequest | None:
    return instance.ec2_backend.spot_instance_requests.get(getattr(instance, "spot_instance_request_id", None))


@wraps(EC2Backend, "cancel_spot_instance_requests")
def _cancel(original: Any, self: EC2Backend, request_ids: list[str]) -> list[Any]:
    found = []
    for each in request_ids:
        made = self.spot_instance_requests.get(each)
        if made is None:
            raise Refused("InvalidSpotInstanceRequestID.NotFound", f"The spot instance request ID '{each}' is unknown")
        made.state = "cancelled"
        found.append(made)
    return found
