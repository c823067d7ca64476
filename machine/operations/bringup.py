"""From an instance that runs to a verified endpoint: what create, start, restart and provision have in common."""

from __future__ import annotations

from machine.driver import Driver
from machine.model import Machine
from machine.operations.authority import ensure_client_certificate, store_authority
from machine.operations.converge import converge_host
from machine.operations.endpoint import verify_endpoint
from machine.operations.hostconnection import connect_to_host
from machine.operations.operation import Operation


def bring_up(op: Operation, driver: Driver, *, patient: bool) -> Machine:
    """Connect, converge, verify; each step changes only what is not as wanted.

    Args:
        patient: the host may still be booting.

    Raises:
        HostUnreachable, HostKeyRejected, LoginRefused, BootstrapFailed, EndpointUnverified.
    """
    store = op.store
    with op.step("connect") as step:
        machine = store.machines.get(op.machine)
        connection = connect_to_host(op, step, machine, driver.capabilities, patient=patient)

    with op.step("converge") as step:
        machine = converge_host(op, step, store.machines.get(op.machine), connection)

    with op.step("endpoint") as step:
        ensure_client_certificate(store, machine, store_authority(store))
        verify_machine(op, machine)
        step.summary = machine.url
    return machine


def verify_machine(op: Operation, machine: Machine) -> None:
    """Ask the machine's endpoint over mutual TLS until it answers.

    Raises:
        EndpointUnverified: what the last answer was.
    """
    assert machine.instance is not None  # noqa: S101 - it has been converged
    assert machine.endpoint is not None  # noqa: S101 - it has been converged
    verify_endpoint(machine.instance.address, machine.endpoint.port, op.store.files(machine.name), op.deadline)
