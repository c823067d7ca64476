"""``upgrade``: the engine's packages, by the host's own package manager."""

from __future__ import annotations

from machine.bootstrap import session
from machine.bootstrap.stub import command as bootstrap_command
from machine.driver import Driver
from machine.errors import DriverError
from machine.model import Machine, State
from machine.operations.bringup import bring_up
from machine.operations.converge import host_events, wanted_document
from machine.operations.endpoint import verify_endpoint
from machine.operations.hostconnection import connect_to_host
from machine.operations.lifecycle import finished
from machine.operations.operation import Operation, Settings
from machine.store.store import Store


def upgrade(store: Store, machine: Machine, driver: Driver, settings: Settings) -> tuple[Machine, session.Upgraded]:
    """Upgrade the engine to the newest version that the host's package sources have; a stopped machine is started.

    Returns:
        The machine, and which version became which.

    Raises:
        DriverError: there is no host.
        PymachineError: a step failed; ``upgrade`` again goes on.
    """
    if not driver.capabilities.host:
        raise DriverError(f"the driver {driver.name} has no host to upgrade an engine on", machine=machine.name)
    instance = finished(store, machine)
    entry = store.journal.begin(machine, "upgrade")
    with Operation(store, entry, machine.name, "upgrade", settings) as op:
        # Starting: a first attempt was cut off on its way there.
        if machine.state in (State.STOPPED, State.STARTING) and driver.capabilities.stop:
            with op.step("instance") as step:
                store.journal.record_state(entry, State.STARTING)
                store.journal.record_instance(entry, driver.start(instance, step))
            bring_up(op, driver, patient=True)
            store.journal.catch_up(entry)
            machine = store.machines.get(machine.name)
        with op.step("connect", acts=False) as step:
            connection = connect_to_host(op, step, machine, driver.capabilities, patient=False)
        with op.step("upgrade") as step:
            sudo = connection.user != "root"
            wanted = wanted_document(op, machine, connection.user)
            op.fence()
            with connection.open(bootstrap_command(sudo), op.deadline) as channel:
                done = session.upgrade(channel, wanted, emit=host_events(op, step), sudo=sudo)
            step.result.update(before=done.before, after=done.after, package=done.package)
            step.summary = " -> ".join(done.from_to) if done.changed else f"{done.after}: nothing newer"
        if done.changed or entry.resumed:  # or a first attempt changed it, and was cut off before it was recorded
            facts = {**machine.facts, "engine": {**machine.facts.get("engine", {}), "version": done.package_version}}
            port = machine.port or 0
            store.journal.record_converged(entry, port=port, engine=f"{done.kind} {done.after}", facts=facts)
            if machine.endpoint is not None and machine.endpoint.route == "direct":
                with op.step("endpoint"):
                    verify_endpoint(machine.address or "", port, store.files(machine.name), op.deadline)
        op.finish(State.RUNNING)
    return store.machines.get(machine.name), done
