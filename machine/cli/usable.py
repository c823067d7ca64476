"""Whether a machine's recorded endpoint can be used."""

from __future__ import annotations

from machine.compat.words import CHECKING, NOT_RUNNING
from machine.errors import EndpointUnverified, NotRunning
from machine.model import Endpoint, Machine, State
from machine.program import is_drop_in
from machine.store.store import Store

_DIAL_SECONDS = 20.0  # as docker-machine waits


def usable_endpoint(machine: Machine, *, doing: str = "") -> Endpoint:
    """The endpoint of a machine.

    Args:
        doing: what docker-machine calls it where it fails: "Error checking TLS connection".

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
        if is_drop_in():
            raise NotRunning(f"{doing}: {NOT_RUNNING}" if doing else NOT_RUNNING, machine=machine.name)
        raise NotRunning(
            f'"{machine.name}" is recorded as stopped', machine=machine.name, hint=f"pymachine start {machine.name}"
        )
    return machine.endpoint


def dialled_endpoint(store: Store, machine: Machine, *, doing: str = CHECKING) -> Endpoint:
    """The endpoint of a machine, once it has answered with the right certificate.

    Args:
        doing: as `usable_endpoint`.

    Raises:
        NotRunning: the machine is stopped, or was never finished.
        EndpointUnverified: it does not answer.
    """
    from machine.driver import load_driver
    from machine.operations.observe import observe

    endpoint = usable_endpoint(machine, doing=doing)
    seen = observe(store, [machine], load_driver, timeout=_DIAL_SECONDS)[0]
    if seen.state is State.STOPPED:
        raise NotRunning(f"{doing}: {NOT_RUNNING}", machine=machine.name)
    if seen.engine is None and endpoint.route != "plain":
        raise EndpointUnverified(
            f"{doing}: {seen.trouble or 'the engine does not answer'}",
            layer="endpoint",
            machine=machine.name,
            hint=f"look at it: pymachine status {machine.name}; pymachine ssh {machine.name}",
        )
    return endpoint
