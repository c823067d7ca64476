"""``create``: reserve the name, make the host, bring the agent, verify the endpoint.

Every step looks first and then does what is missing, so creating again after a crash is the same code: the operation,
its token and its resolved request are found in the journal, and the provider is asked for the same thing.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

from machine.driver import Driver, HostIdentity, declared_options
from machine.errors import InvalidName, NameTaken
from machine.model import Machine, Spec, State, valid_name
from machine.operations.account import Account, keep_credentials, sign_in
from machine.operations.bringup import After, bring_up
from machine.operations.enginesecrets import as_file, put_back, taken_out
from machine.operations.given import take_endpoint
from machine.operations.hostconnection import MACHINE_KEY
from machine.operations.log import hide
from machine.operations.operation import Operation, Settings
from machine.store.files import PUBLIC, SECRET
from machine.store.store import Store
from machine.trust.sshkeys import new_private_key, public_line


def create(
    store: Store,
    spec: Spec,
    driver: Driver,
    options: Any,
    settings: Settings,
    *,
    keep: Mapping[str, str] | None = None,
    after: After | None = None,
) -> Machine:
    """Create a machine, or go on with a create of the same name and options that was not finished.

    Args:
        spec: what is wanted; its ``options`` are ``stored_options`` of ``options``.
        options: the driver's own, secrets included.
        keep: secret options to be kept for the machine, in a file that only its owner can read.
        after: what else is to be done on its host before it counts as made; see `bring_up`.

    Returns:
        The machine, running, with a verified endpoint.

    Raises:
        InvalidName, NameTaken, PreCheckFailed: nothing was made.
        PymachineError: a step failed; what was made is recorded, ``create`` again goes on and ``remove`` cleans up.
    """
    check_name(store, spec.name)
    engine, passwords = taken_out(spec.engine)
    spec = dataclasses.replace(spec, engine=engine)
    if not passwords:
        put_back(store.files(spec.name), engine)  # raises, where those of an earlier attempt are gone
    secrets = secret_values(driver, options)
    for value in secrets.values():
        hide(value)
    private_key = store.files(spec.name).read(MACHINE_KEY) or new_private_key()
    request = pre_check(store, spec, driver, options, private_key)

    entry = store.journal.begin_create(spec)
    with Operation(store, entry, spec.name, "create", settings) as op:
        with op.step("reserve", acts=False) as step:
            files = as_file(passwords)
            request = _reserve(op, spec, request, private_key if driver.capabilities.host else None, keep, files)
            sign_in(driver, Account(request.get("account", {}), secrets))
            step.summary = f"{spec.driver}" + (", going on where it stopped" if entry.resumed else "")

        # What a driver only takes over can be said again at any time: that goes with the next write.
        makes = driver.capabilities.creates
        with op.step("instance", acts=makes) as step:
            instance = driver.create(request, entry.token, step)
            store.journal.record_instance(entry, instance, at_once=makes)
            step.summary = instance.address

        if driver.capabilities.host:
            made = dataclasses.replace(store.machines.get(spec.name), instance=instance)
            bring_up(op, driver, patient=makes, machine=made, after=after)
            op.drop_kept()
            op.finish(State.RUNNING)
        else:
            op.finish(take_endpoint(op, driver))
    return store.machines.get(spec.name)


def pre_check(
    store: Store, spec: Spec, driver: Driver, options: Any, private_key: bytes | None = None
) -> dict[str, Any]:
    """Let a driver find out whether it can make a machine; nothing is made.

    Args:
        private_key: the machine's own, where it has one.

    Returns:
        What the driver would be asked for.

    Raises:
        PreCheckFailed: it cannot; names what to change.
    """
    line = public_line(private_key or _some_key())
    return driver.check(spec, options, HostIdentity(store=store.id, authorized_key=line, notes=store.notes))


@functools.cache
def _some_key() -> bytes:
    """A private key that is nobody's, for machines that are only asked about: a fleet asks for all of its own first."""
    return new_private_key()


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
    if found is None or store.history.may_resume_create(found):
        return
    raise NameTaken(
        f'a machine "{found.name}" exists',
        machine=found.name,
        hint=f"choose another name, or remove it: pymachine rm {found.name}",
    )


def unfinished(store: Store, name: str) -> Spec | None:
    """The spec of a machine of this name whose create was begun and not finished."""
    found = store.machines.find(name)
    return found.spec if found is not None and store.history.may_resume_create(found) else None


def secret_values(driver: Driver, options: Any) -> dict[str, str]:
    """The values of a driver's secret options, those that were said anywhere."""
    secret = [item.name for item in declared_options(driver) if item.info.secret]
    return {name: str(getattr(options, name)) for name in secret if getattr(options, name) is not None}


def _reserve(
    op: Operation,
    spec: Spec,
    request: dict[str, Any],
    private_key: bytes | None,
    keep: Mapping[str, str] | None,
    passwords: Mapping[str, bytes],
) -> dict[str, Any]:
    """Write down the machine's key and what will be asked for; what an earlier attempt wrote down is kept."""
    files, recorded = op.files, None
    if op.entry.resumed:
        recorded = op.store.journal.request(op.entry)
    else:
        files.remove_all()  # of a machine of this name whose removal was cut off at its very end
    for name, content in passwords.items():
        files.write(name, content)
    if recorded is not None:
        if keep:
            keep_credentials(files, keep)
        return recorded
    if private_key is not None:
        public = f"{public_line(private_key)} {spec.name}\n".encode()
        files.write_all({MACHINE_KEY: (private_key, SECRET), f"{MACHINE_KEY}.pub": (public, PUBLIC)})
    if keep:
        keep_credentials(files, keep)
    op.store.journal.record_request(op.entry, request)
    return request
