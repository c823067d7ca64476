"""``create``: reserve the name, make the host, bring the agent, verify the endpoint.

Every step looks first and then does what is missing, so creating again after a crash is the same code: the operation,
its token and its resolved request are found in the journal, and the provider is asked for the same thing.
"""

from __future__ import annotations

from typing import Any

from machine.driver import Driver, HostIdentity
from machine.errors import InvalidName, NameTaken
from machine.model import Machine, Spec, State, valid_name
from machine.operations.authority import ensure_client_certificate, store_authority
from machine.operations.converge import converge_host
from machine.operations.endpoint import verify_endpoint
from machine.operations.hostconnection import MACHINE_KEY, connect_to_host
from machine.operations.operation import Operation, Settings
from machine.store.files import PUBLIC
from machine.store.journal import Entry
from machine.store.store import Store
from machine.trust.sshkeys import new_private_key, public_line


def create(store: Store, spec: Spec, driver: Driver, options: Any, settings: Settings) -> Machine:
    """Create a machine, or go on with a create of the same name and options that was not finished.

    Args:
        spec: what is wanted; its ``options`` are ``stored_options`` of ``options``.
        options: the driver's own, secrets included.

    Returns:
        The machine, running, with a verified endpoint.

    Raises:
        InvalidName, NameTaken, PreCheckFailed: nothing was made.
        PymachineError: a step failed; what was made is recorded, ``create`` again goes on and ``remove`` cleans up.
    """
    check_name(store, spec.name)
    private_key = store.files(spec.name).read(MACHINE_KEY) or new_private_key()
    identity = HostIdentity(store=store.id, authorized_key=public_line(private_key))
    request = driver.check(spec, options, identity)

    entry = store.journal.begin_create(spec)
    with Operation(store, entry, spec.name, "create", settings) as op:
        with op.step("reserve") as step:
            request = _reserve(store, entry, spec, request, private_key)
            step.summary = f"{spec.driver}" + (", going on where it stopped" if entry.resumed else "")

        with op.step("instance") as step:
            instance = driver.create(request, entry.token, step)
            store.journal.record_instance(entry, instance)
            step.summary = instance.address

        with op.step("connect") as step:
            machine = store.machines.get(spec.name)
            patient = driver.capabilities.creates
            connection = connect_to_host(op, step, machine, driver.capabilities, patient=patient)

        with op.step("converge") as step:
            machine = converge_host(op, step, store.machines.get(spec.name), connection)

        with op.step("endpoint") as step:
            ensure_client_certificate(store, machine, store_authority(store))
            verify_machine(op, machine)
            step.summary = machine.endpoint.url if machine.endpoint else ""

        op.finish(State.RUNNING)
    return store.machines.get(spec.name)


def check_name(store: Store, name: str) -> None:
    """Refuse early what the reservation would refuse; the reservation decides.

    Raises:
        InvalidName, NameTaken, OperationInProgress.
    """
    if not valid_name(name):
        raise InvalidName(
            f"a machine cannot be called {name!r}",
            hint="letters, digits, '-' and '.', beginning with a letter or a digit, at most 63",
        )
    found = store.machines.find(name)
    if found is None or store.journal.may_resume_create(found):
        return
    raise NameTaken(
        f'a machine "{found.name}" exists',
        machine=found.name,
        hint=f"choose another name, or remove it: pymachine rm {found.name}",
    )


def unfinished(store: Store, name: str) -> Spec | None:
    """The spec of a machine of this name whose create was begun and not finished."""
    found = store.machines.find(name)
    return found.spec if found is not None and store.journal.may_resume_create(found) else None


def verify_machine(op: Operation, machine: Machine) -> None:
    """Ask the machine's endpoint over mutual TLS until it answers.

    Raises:
        EndpointUnverified: what the last answer was.
    """
    assert machine.instance is not None  # noqa: S101 - it has been converged
    assert machine.endpoint is not None  # noqa: S101 - it has been converged
    verify_endpoint(machine.instance.address, machine.endpoint.port, op.store.files(machine.name), op.deadline)


def _reserve(store: Store, entry: Entry, spec: Spec, request: dict[str, Any], private_key: bytes) -> dict[str, Any]:
    """Write down the machine's key and what will be asked for; what an earlier attempt wrote down is kept."""
    recorded = store.journal.request(entry)
    if recorded is not None:
        return recorded
    files = store.files(spec.name)
    if not entry.resumed:
        files.remove_all()  # of a machine of this name whose removal was cut off at its very end
    files.write(MACHINE_KEY, private_key)
    files.write(f"{MACHINE_KEY}.pub", f"{public_line(private_key)} {spec.name}\n".encode(), PUBLIC)
    store.journal.record_request(entry, request)
    return request
