"""Instances take time to become what they are told to be, and refuse what their state does not allow."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from moto.core.responses import ActionResult, EmptyResult
from moto.ec2.exceptions import OperationDisableApiStopNotPermitted, OperationNotPermitted4
from moto.ec2.models import ec2_backends
from moto.ec2.models.instances import Instance, InstanceState, StateReason
from moto.ec2.responses.instances import InstanceResponse

from tests.testbed.aws.truths import spot
from tests.testbed.aws.truths.errors import Refused, params
from tests.testbed.aws.world import WORLD, wraps

CODES = {"pending": 0, "running": 16, "shutting-down": 32, "terminated": 48, "stopping": 64, "stopped": 80}
_GONE = ("shutting-down", "terminated")
_OURS = ("Client.UserInitiatedShutdown", "Client.UserInitiatedShutdown: User initiated shutdown")

_ITS_OWN = "Client.InstanceInitiatedShutdown"


def become(instance: Instance, state: str) -> None:
    """Put an instance into a state, at once."""
    instance._state.name, instance._state.code = state, CODES[state]


def launched(instance: Instance) -> None:
    """A new instance: pending, and running in a while."""
    _boot(instance, lambda hosts: hosts.launch(instance))


def start(instance: Instance) -> None:
    """Start a stopped instance, with a new public address."""
    if instance.state == "stopped":
        _start(instance)
        _keep_elastic(instance)
        _boot(instance, lambda hosts: hosts.start(instance))


def stop(instance: Instance) -> None:
    """Stop a running instance."""
    if instance.state in ("stopped", "stopping"):
        return
    become(instance, "stopping")

    def stopped() -> None:
        _stop(instance)
        _keep_elastic(instance)

    if WORLD.hosts is not None:
        WORLD.once(WORLD.hosts.stop(instance), instance.id, stopped)
    else:
        WORLD.after(WORLD.timing.stopping, instance.id, stopped)


def terminate(instance: Instance, code: str = _OURS[0], message: str = _OURS[1]) -> None:
    """Terminate an instance, for a reason."""
    if instance.state in _GONE:
        return
    become(instance, "shutting-down")
    instance.state_reason = StateReason(message, code)

    def terminated() -> None:
        _let_go(instance)
        instance.state_reason = StateReason(message, code)
        if code != _OURS[0]:
            instance._reason = code
        spot.ended(instance, code)
        WORLD.after(WORLD.timing.terminated_visible, instance.id, lambda: _forget(instance), settles=False)

    if WORLD.hosts is not None:
        WORLD.once(WORLD.hosts.terminate(instance), instance.id, terminated)
    else:
        WORLD.after(WORLD.timing.shutting_down, instance.id, terminated)


def notice() -> None:
    """A machine that has shut itself down: its instance is stopped, or terminated where that was asked for."""
    if WORLD.hosts is None:
        return
    for regions in ec2_backends.values():
        for backend in regions.values():
            for instance in backend.all_running_instances():
                if not WORLD.hosts.is_down(instance):
                    continue
                if instance.instance_initiated_shutdown_behavior == "terminate":
                    terminate(instance, _ITS_OWN, f"{_ITS_OWN}: Instance initiated shutdown")
                else:
                    stop(instance)


_start, _stop, _terminate = Instance.start, Instance.stop, Instance.terminate


def _boot(instance: Instance, on: Callable[[Any], Callable[[], bool]]) -> None:
    become(instance, "pending")

    def running() -> None:
        become(instance, "running")

    if WORLD.hosts is None:
        WORLD.after(WORLD.timing.pending, instance.id, running)
        return
    booted = on(WORLD.hosts)

    def done() -> None:
        if WORLD.hosts is not None and WORLD.hosts.arrived(instance):
            running()
        else:
            terminate(instance, "Server.InternalError", "Server.InternalError: Internal error on launch")

    WORLD.once(booted, instance.id, done)


def _keep_elastic(instance: Instance) -> None:
    """An elastic address stays through stop and start; moto forgets it, or takes another."""
    for address in instance.ec2_backend.addresses:
        if address.eni in instance.nics.values():
            address.eni.public_ip = address.public_ip


def _let_go(instance: Instance) -> None:
    """Terminated: its disks, interfaces and addresses are gone, or free for others."""
    backend = instance.ec2_backend
    for address in backend.addresses:
        if address.instance is instance or address.eni in instance.nics.values():
            address.instance = address.eni = address.association_id = None
    for interface in list(instance.nics.values()):
        if not interface.delete_on_termination:
            interface.stop()
            instance.detach_eni(interface)
    _terminate(instance)
    instance.nics, instance.security_groups, instance._subnet_id = {}, [], None


def _forget(instance: Instance) -> None:
    backend = instance.ec2_backend
    for name, reservation in list(backend.reservations.items()):
        if instance in reservation.instances:
            reservation.instances.remove(instance)
            if not reservation.instances:
                del backend.reservations[name]
    backend.tags.pop(instance.id, None)


@wraps(Instance, "__init__")
def _init(original: Any, self: Instance, *args: Any, **kwargs: Any) -> None:
    original(self, *args, **kwargs)
    self._state = InstanceState("pending", 0)


def _also_for_moto(name: str, move: Callable[[Instance], None]) -> None:
    """Who calls moto's own method (a fleet, a test by the backend) gets the same."""

    @wraps(Instance, name)
    def moved(original: Any, self: Instance) -> InstanceState:
        before = copy.copy(self._state)
        move(self)
        return before


_also_for_moto("start", start)
_also_for_moto("stop", stop)
_also_for_moto("terminate", terminate)


@wraps(InstanceResponse, "start_instances")
def _start_instances(original: Any, self: InstanceResponse) -> ActionResult:
    instances = _named(self)
    for instance in instances:
        if instance.state not in ("stopped", "running", "pending"):
            raise Refused(
                "IncorrectInstanceState",
                f"The instance '{instance.id}' is not in a state from which it can be started.",
            )
    return _moved("StartingInstances", instances, start)


@wraps(InstanceResponse, "stop_instances")
def _stop_instances(original: Any, self: InstanceResponse) -> ActionResult:
    instances = _named(self)
    for instance in instances:
        if instance.state not in ("running", "stopping", "stopped"):
            raise Refused(
                "IncorrectInstanceState",
                f"The instance '{instance.id}' is not in a state from which it can be stopped.",
            )
        if instance.disable_api_stop:
            raise OperationDisableApiStopNotPermitted(instance.id)
        spot.may_stop(instance)
    return _moved("StoppingInstances", instances, stop)


@wraps(InstanceResponse, "terminate_instances")
def _terminate_instances(original: Any, self: InstanceResponse) -> ActionResult:
    instances = _named(self)
    for instance in instances:
        if instance.disable_api_termination and instance.state not in _GONE:
            raise OperationNotPermitted4(instance.id)
    return _moved("TerminatingInstances", instances, terminate)


@wraps(InstanceResponse, "reboot_instances")
def _reboot_instances(original: Any, self: InstanceResponse) -> EmptyResult:
    instances = _named(self)
    for instance in instances:
        if instance.state not in ("running", "pending"):
            raise Refused(
                "IncorrectInstanceState",
                f"The instance '{instance.id}' is not in a state from which it can be rebooted.",
            )
    if WORLD.hosts is not None:
        for instance in instances:
            WORLD.hosts.reboot(instance)
    return EmptyResult()


def _named(response: InstanceResponse) -> list[Instance]:
    ids = params(response).get("InstanceIds") or []
    if not ids:
        raise Refused("MissingParameter", "The request must contain the parameter InstanceId")
    response.error_on_dryrun()
    return response.ec2_backend.get_multi_instances_by_id(ids)


def _moved(key: str, instances: list[Instance], move: Callable[[Instance], None]) -> ActionResult:
    said = []
    for instance in instances:
        before = copy.copy(instance._state)
        move(instance)
        now = copy.copy(instance._state)
        said.append({"InstanceId": instance.id, "CurrentState": now, "PreviousState": before})
    return ActionResult({key: said})
