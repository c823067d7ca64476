"""Whether a machine's recorded endpoint can be used."""

from __future__ import annotations

from machine.errors import NotRunning
from machine.model import Endpoint, Machine, State


def usable_endpoint(machine: Machine) -> Endpoint:
    """The endpoint of a machine.

    Raises:
        NotRunning: it is recorded as stopped, or was never finished.
    """
    if machine.endpoint is None:
        raise NotRunning(
            f'"{machine.name}" has no endpoint yet',
            machine=machine.name,
            cause=machine.error,
            hint=f"go on making it: pymachine create {machine.name}",
        )
    if machine.state is State.STOPPED:
        raise NotRunning(
            f'"{machine.name}" is recorded as stopped', machine=machine.name, hint=f"pymachine start {machine.name}"
        )
    return machine.endpoint
