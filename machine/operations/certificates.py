"""``regenerate-certs``: a new server certificate, and a new client's where that is asked for; nothing is restarted."""

from __future__ import annotations

from machine.driver import Driver
from machine.errors import DriverError, NotRunning
from machine.model import Machine, State
from machine.operations.authority import new_client_certificate, store_authority
from machine.operations.bringup import bring_up
from machine.operations.lifecycle import finished
from machine.operations.operation import Operation, Settings
from machine.store.store import Store


def regenerate(store: Store, machine: Machine, driver: Driver, settings: Settings, *, client: bool = False) -> Machine:
    """Give a machine a new server certificate, signed by the store's authority. The engine and the agent stay up.

    The authority is kept, or no other machine of the store could be reached any more.

    Args:
        client: make a new client's certificate, too; without it, one is made when it is due.

    Raises:
        DriverError: there is no agent of ours that could take one.
        NotRunning: it is recorded as stopped.
        PymachineError: a step failed; doing it again goes on.
    """
    finished(store, machine)
    if machine.endpoint is not None and machine.endpoint.given:
        hint = f"pymachine provision {machine.name}" if driver.capabilities.host else "do it where it is managed"
        raise DriverError("the endpoint is not ours, and neither are its certificates", machine=machine.name, hint=hint)
    if machine.state is State.STOPPED:
        raise NotRunning("Host is not running", machine=machine.name, hint=f"pymachine start {machine.name}")
    entry = store.journal.begin(machine, "regenerate-certs")
    with Operation(store, entry, machine.name, "regenerate-certs", settings) as op:
        bring_up(op, driver, patient=False)
        if client:
            with op.step("client") as step:
                new_client_certificate(store, op.files, machine.name, store_authority(store))
                step.summary = op.files.path("cert.pem")
        op.finish(State.RUNNING)
    return store.machines.get(machine.name)
