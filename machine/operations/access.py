"""Another way to the same host, or other certificates for the same endpoint: tried first, recorded when it works.

What is wanted is recorded last: whoever repeats a change that was cut off finds it wanted otherwise still, and does it
again. The host shows the key that is pinned, or it is not the same host.
"""

from __future__ import annotations

import dataclasses
import os
import tempfile
import typing
from collections.abc import Sequence

from machine.bootstrap.stub import command as run_script
from machine.driver import AccessDriver, Driver, EndpointDriver, resolve
from machine.errors import BootstrapFailed, HostKeyRejected, PymachineError
from machine.model import Instance, Machine, Spec, State
from machine.operations.bringup import After, bring_up
from machine.operations.endpoint import ask_engine
from machine.operations.given import take_endpoint
from machine.operations.hostconnection import open_connection
from machine.operations.lifecycle import finished
from machine.operations.operation import Operation, Settings, Step
from machine.operations.respec import want
from machine.ssh.connection import Connection
from machine.store.files import Files
from machine.store.store import Store
from machine.trust.sshkeys import fingerprint

_NOTHING = b"exit 0\n"
_CERTIFICATES = (("ca_cert", "ca.pem"), ("client_cert", "cert.pem"), ("client_key", "key.pem"))


def change_access(
    store: Store,
    machine: Machine,
    driver: Driver,
    settings: Settings,
    *,
    spec: Spec,
    changed: Sequence[str],
    after: After | None = None,
) -> Machine:
    """Reach a machine as a new spec says from now on, and bring its host up once more over that.

    Args:
        spec: what is wanted from now on.
        changed: the driver's options that are another in it, of ``capabilities.access``.
        after: what else is to be done on the host; see `bring_up`.

    Raises:
        PymachineError: in the step "access": it does not work so, and the machine is recorded as it was; in a later
            one: the new way works and is recorded, ``provision`` goes on.
    """
    before = finished(store, machine)
    options = resolve(driver, spec.options, {}).options
    # Named after what goes on with it, as soon as the new way is recorded.
    with Operation(store, store.journal.begin(machine, "provision"), machine.name, "provision", settings) as op:
        with op.step("access") as step:
            wanted = typing.cast(AccessDriver, driver).access(before, options, changed)
            try:
                if driver.capabilities.host:
                    wanted = _with_login(before, wanted)
                    _try_host(op, step, dataclasses.replace(machine, instance=wanted, spec=spec), driver)
                else:
                    _try_endpoint(op, step, wanted, driver)
            except PymachineError as error:
                kept = f"{machine.name} is recorded as it was, and nothing on it was changed"
                error.hint = f"{error.hint}; {kept}" if error.hint else kept
                raise
            store.journal.record_instance(op.entry, wanted)
        if driver.capabilities.host:
            want(op, spec)
            bring_up(op, driver, patient=False, after=after)
            op.finish(State.RUNNING)
        else:
            state = take_endpoint(op, driver)
            _drop_certificates(op)
            want(op, spec)
            op.finish(state)
    return store.machines.get(machine.name)


def _with_login(before: Instance, wanted: Instance) -> Instance:
    """Another account, or another key of the operator's: these log in first, and introduce the machine's own key."""
    was, now = before.access, wanted.access
    if (was.user, was.identity_file) == (now.user, now.identity_file):
        return wanted
    return dataclasses.replace(wanted, access=dataclasses.replace(now, machine_key_installed=False))


def _try_host(op: Operation, step: Step, machine: Machine, driver: Driver) -> None:
    with open_connection(
        op.store, machine, driver.capabilities, op.deadline, ask_passphrase=op.settings.ask_passphrase
    ) as connection:
        _require_vouched(machine, connection)
        sudo = connection.user != "root"
        ended = connection.run(run_script(sudo, _NOTHING), op.deadline, _NOTHING)
        if ended.exit_status != 0:
            raise BootstrapFailed(
                f"{connection.user} does not become root on {machine.name}",
                code="sudo",
                cause=ended.stderr.decode("utf-8", "replace").strip() or None,
                hint="a user is needed who is root, or may use sudo without a password",
            )
        step.summary = f"{connection.user}@{connection.host}, port {connection.port}"


def _require_vouched(machine: Machine, connection: Connection) -> None:
    """A pinned key is believed without a look at the one that is vouched for."""
    vouched = machine.instance.access.host_key_fingerprint if machine.instance else None
    shown = fingerprint(connection.verdict.key)
    if vouched is not None and shown != vouched:
        raise HostKeyRejected(
            f"the host key of {machine.name} is not the one you gave", cause=f"{shown}, not {vouched}"
        )


def _try_endpoint(op: Operation, step: Step, wanted: Instance, driver: Driver) -> None:
    given = typing.cast(EndpointDriver, driver).endpoint(wanted)
    if given.ca_cert is None:
        step.summary = "without certificates, so nobody is asked"
        return
    with tempfile.TemporaryDirectory() as directory:
        for field, name in _CERTIFICATES:
            os.symlink(getattr(given, field), os.path.join(directory, name))
        health = ask_engine(given.host, given.port, Files(directory), op.deadline)
    step.summary = f"docker {health.engine_version}"


def _drop_certificates(op: Operation) -> None:
    op.store.journal.catch_up(op.entry)  # with it the endpoint as it is now
    machine = op.store.machines.get(op.machine)
    if machine.endpoint is not None and machine.endpoint.route == "plain":
        for _, name in _CERTIFICATES:
            op.files.remove(name)
