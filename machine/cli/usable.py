"""Whether a machine's recorded endpoint can be used, and what docker-machine says where it cannot."""

from __future__ import annotations

from typing import TYPE_CHECKING

from machine.compat.words import CHECKING, NOT_RUNNING
from machine.errors import EndpointUnverified, NotRunning
from machine.model import Endpoint, Machine
from machine.program import is_drop_in

if TYPE_CHECKING:
    from machine.api.client import Client


def usable_endpoint(client: Client, machine: Machine, *, doing: str = "") -> Endpoint:
    """The endpoint of a machine.

    Args:
        doing: what docker-machine calls it where it fails: "Error checking TLS connection".

    Raises:
        NotRunning: it is recorded as stopped, or was never finished.
    """
    try:
        return client.endpoint(machine)
    except NotRunning as error:
        if is_drop_in() and machine.endpoint is not None:
            error.message, error.hint = f"{doing}: {NOT_RUNNING}" if doing else NOT_RUNNING, None
        raise


def dialled_endpoint(client: Client, machine: Machine, *, doing: str = CHECKING) -> Endpoint:
    """The endpoint of a machine, once it has answered with the right certificate.

    Args:
        doing: as `usable_endpoint`.

    Raises:
        NotRunning: the machine is stopped, or was never finished.
        EndpointUnverified: it does not answer.
    """
    usable_endpoint(client, machine, doing=doing)
    try:
        return client.endpoint(machine, check=True)
    except NotRunning as error:  # somebody else has stopped it
        error.message, error.hint = f"{doing}: {NOT_RUNNING}", None
        raise
    except EndpointUnverified as error:
        error.message = f"{doing}: {error.message}"
        raise
