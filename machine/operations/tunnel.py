"""A tunnel to a machine's endpoint over SSH, for as long as somebody wants it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from machine.deadline import Deadline
from machine.driver import Driver
from machine.errors import DriverError, NotRunning
from machine.model import Machine
from machine.operations.hostconnection import open_connection
from machine.operations.operation import Settings
from machine.operations.route import tunnel_port
from machine.ssh.forward import Forward
from machine.store.store import Store

_CONNECT_SECONDS = 60.0


@contextmanager
def tunnel(
    store: Store, machine: Machine, driver: Driver, settings: Settings, *, local_port: int | None = None
) -> Iterator[Forward]:
    """A local port that ends at the machine's endpoint, inside the context.

    Args:
        local_port: 0: any free one; None: the one that ``env`` names, where there is no other way.

    Raises:
        DriverError: there is no host to go through.
        NotRunning: the machine has no endpoint yet.
        HostUnreachable, HostKeyRejected, LoginRefused, UsageError.
    """
    if not driver.capabilities.host:
        raise DriverError(f"the driver {driver.name} has no host to go through", machine=machine.name)
    if machine.instance is None or machine.port is None:
        raise NotRunning(
            f'"{machine.name}" has no endpoint yet',
            machine=machine.name,
            hint=f"go on making it: pymachine create {machine.name}",
        )
    deadline = Deadline(min(settings.timeout, _CONNECT_SECONDS), cancellation=settings.cancellation)
    with (
        open_connection(
            store, machine, driver.capabilities, deadline, ask_passphrase=settings.ask_passphrase
        ) as connection,
        Forward(
            connection,
            "127.0.0.1",
            machine.port,
            local_port=tunnel_port(machine) if local_port is None else local_port,
        ) as forward,
    ):
        yield forward
