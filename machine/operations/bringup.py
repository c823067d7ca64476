"""From an instance that runs to a verified endpoint: what create, start, restart and provision have in common."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from machine.driver import Driver
from machine.errors import PymachineError
from machine.model import Machine
from machine.operations import expiry
from machine.operations.authority import ensure_client_certificate, store_authority
from machine.operations.converge import converge_host
from machine.operations.hostconnection import as_reached, connect_to_host
from machine.operations.operation import Operation
from machine.operations.route import find_route
from machine.ssh.connection import Connection
from machine.store.files import Files

After = Callable[[Operation, Connection], None]
"""What a caller adds on a host that is as wanted, as steps of the same operation, over the connection that is open."""


def bring_up(
    op: Operation,
    driver: Driver,
    *,
    patient: bool,
    machine: Machine | None = None,
    take_port: bool = False,
    after: After | None = None,
) -> None:
    """Connect, converge, verify; each step changes only what is not as wanted.

    Args:
        patient: the host may still be booting.
        machine: as the operation knows it; else as it is recorded.
        take_port: an engine that holds our port shall leave it.
        after: called when the endpoint has answered; like every step it is repeated by who goes on.

    Raises:
        HostUnreachable, HostKeyRejected, LoginRefused, BootstrapFailed, EndpointUnverified.
    """
    store = op.store
    with op.step("connect", acts=False) as step:
        machine = machine or store.machines.get(op.machine)
        connection = connect_to_host(op, step, machine, driver.capabilities, patient=patient)

    with op.step("converge", acts=False) as step:  # its first word is on disk before it does, with its begin
        machine = as_reached(store, machine, connection)
        ours = driver.capabilities.creates and not machine.taken_over
        if op.kind in ("create", "provision", "regenerate-certs") and (warning := expiry.of_store(store.certs)):
            step.warn(warning)
        authority = store_authority(store)
        machine, trust = converge_host(op, step, machine, connection, authority, ours=ours, take_port=take_port)

    with op.step("endpoint", acts=False) as step:
        with _old_ones_until_verified(op.files, machine):
            ensure_client_certificate(store, op.files, machine.name, authority, trust)
            endpoint = find_route(op, machine, connection)
        store.journal.record_endpoint(op.entry, endpoint)
        step.result["route"] = endpoint.route
        step.summary = endpoint.url
        if endpoint.route == "ssh":
            step.warn(
                f"port {machine.port} of {machine.address} cannot be reached from here, and works through SSH:"
                f" keep a tunnel open with `pymachine tunnel {machine.name}`"
            )
    if after is not None:
        after(op, connection)


@contextlib.contextmanager
def _old_ones_until_verified(files: Files, machine: Machine) -> Iterator[None]:
    """An endpoint that was given is in use with its own certificates until ours has answered."""
    given = machine.endpoint is not None and machine.endpoint.given
    kept = {name: files.read(name) for name in ("ca.pem", "key.pem", "cert.pem")} if given else {}
    try:
        yield
    except PymachineError:
        for name, content in kept.items():
            if content is not None:
                files.write(name, content)
        raise
