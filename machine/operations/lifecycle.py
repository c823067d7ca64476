"""``start stop restart kill provision``: each brings a machine that exists to where its name says.

A start or a restart may give a new address; the converge that follows gives the host a certificate for it, and changes
nothing else.
"""

from __future__ import annotations

from machine.driver import Driver
from machine.errors import DriverError, NotRunning
from machine.model import Instance, Machine, Spec, State
from machine.operations.absent import AbsentDriver
from machine.operations.bringup import After, bring_up
from machine.operations.given import await_endpoint, follow_endpoint
from machine.operations.operation import Operation, Settings
from machine.operations.reboot import reboot_host
from machine.operations.respec import want
from machine.store.store import Store


def start(store: Store, machine: Machine, driver: Driver, settings: Settings) -> Machine:
    """Bring a machine to Running, with a verified endpoint; already running is success.

    Raises:
        DriverError: the driver cannot start anything.
        PymachineError: a step failed; ``start`` again goes on.
    """
    _require(driver, machine, driver.capabilities.stop, "start")
    instance = finished(store, machine)
    with _operation(store, machine, "start", settings) as op:
        with op.step("instance") as step:
            store.journal.record_state(op.entry, State.STARTING)
            started = driver.start(instance, step)
            store.journal.record_instance(op.entry, started)
            step.summary = started.address
        if machine.endpoint is not None and machine.endpoint.given:
            follow_endpoint(op, machine)
        else:
            bring_up(op, driver, patient=True)
        op.finish(State.RUNNING)
    return store.machines.get(machine.name)


def stop(store: Store, machine: Machine, driver: Driver, settings: Settings, *, at_once: bool = False) -> Machine:
    """Bring a machine to Stopped; already stopped is success.

    Args:
        at_once: pull the plug instead of shutting down in order.

    Raises:
        DriverError: the driver cannot stop anything.
        PymachineError: it did not stop; the provider's state is what ``ls`` shows.
    """
    kind = "kill" if at_once else "stop"
    _require(driver, machine, driver.capabilities.stop, kind)
    instance = finished(store, machine)
    with _operation(store, machine, kind, settings) as op:
        with op.step("instance") as step:
            store.journal.record_state(op.entry, State.STOPPING)
            (driver.kill if at_once else driver.stop)(instance, step)
        op.finish(State.STOPPED)
    return store.machines.get(machine.name)


def restart(store: Store, machine: Machine, driver: Driver, settings: Settings) -> Machine:
    """Restart a machine's host, by its driver or, where only the host itself can do it, from inside.

    Raises:
        DriverError, PymachineError: as `start`.
    """
    by_host = driver.capabilities.restarts_itself
    if by_host and driver.capabilities.stop and machine.state is State.STOPPED:
        return start(store, machine, driver, settings)  # there is no host that could restart itself
    _require(driver, machine, driver.capabilities.restart or by_host, "restart")
    instance = finished(store, machine)
    with _operation(store, machine, "restart", settings) as op:
        if by_host:
            reboot_host(op, machine, driver)
        else:
            with op.step("instance") as step:
                store.journal.record_state(op.entry, State.STARTING)
                restarted = driver.restart(instance, step)
                store.journal.record_instance(op.entry, restarted)
                step.summary = restarted.address
        if machine.endpoint is not None and machine.endpoint.given:
            await_endpoint(op, machine)  # the agent comes when somebody asks for it
        else:
            bring_up(op, driver, patient=True)
        op.finish(State.RUNNING)
    return store.machines.get(machine.name)


def provision(
    store: Store,
    machine: Machine,
    driver: Driver,
    settings: Settings,
    *,
    take_port: bool = False,
    spec: Spec | None = None,
    after: After | None = None,
) -> Machine:
    """Make the host as wanted once more: agent, certificate, engine. What is as wanted is left alone.

    Args:
        take_port: where the engine has a TLS endpoint of its own at our port, let it leave that, and take it.
        spec: what is wanted from now on; left out: what was.
        after: what else is to be done on the host; see `bring_up`.

    Raises:
        DriverError: there is no host that could be.
        NotRunning: it is recorded as stopped.
        PymachineError: a step failed; ``provision`` again goes on.
    """
    _require(driver, machine, driver.capabilities.host, "provision")
    finished(store, machine)
    if machine.state is State.STOPPED:
        raise NotRunning(
            f'"{machine.name}" is recorded as stopped', machine=machine.name, hint=f"pymachine start {machine.name}"
        )
    with _operation(store, machine, "provision", settings) as op:
        if spec is not None:
            want(op, spec)
        bring_up(op, driver, patient=False, take_port=take_port, after=after)
        op.finish(State.RUNNING)
    return store.machines.get(machine.name)


def _require(driver: Driver, machine: Machine, can: bool, verb: str) -> None:
    if not can and isinstance(driver, AbsentDriver):
        raise driver.error(f"{verb} a machine")
    if not can:
        raise DriverError(
            f"the driver {driver.name} cannot {verb} a machine",
            machine=machine.name,
            hint=f"do it where {machine.address or 'the host'} is managed",
        )


def instance_of(machine: Machine) -> Instance:
    """The instance of a machine, also of one whose create has not ended.

    Raises:
        NotRunning: there is none yet.
    """
    if machine.instance is None:
        raise NotRunning(
            f'"{machine.name}" has no host yet',
            machine=machine.name,
            cause=machine.error,
            hint=f"go on making it: pymachine create {machine.name}",
        )
    return machine.instance


def finished(store: Store, machine: Machine) -> Instance:
    """The instance of a machine whose create has ended well.

    Raises:
        NotRunning: it has not; names the command that goes on.
    """
    if machine.instance is None or store.history.may_resume_create(machine):
        raise NotRunning(
            f'"{machine.name}" was begun and not finished',
            machine=machine.name,
            cause=machine.error,
            hint=f"to go on: pymachine create {machine.name}; to clean up: pymachine rm {machine.name}",
        )
    return machine.instance


def _operation(store: Store, machine: Machine, kind: str, settings: Settings) -> Operation:
    return Operation(store, store.journal.begin(machine, kind), machine.name, kind, settings)
