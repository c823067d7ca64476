"""``remove``: the agent leaves a host that stays, the provider confirms what is gone, the record goes last."""

from __future__ import annotations

import dataclasses
import time
from typing import Any

from machine.bootstrap import session
from machine.bootstrap.stub import command as bootstrap_command
from machine.deadline import Deadline
from machine.driver import Driver
from machine.errors import BootstrapFailed, HostKeyRejected, HostUnreachable, LoginRefused, PymachineError
from machine.model import Machine
from machine.operations.account import leave_credentials
from machine.operations.converge import host_events, wanted_document
from machine.operations.hostconnection import connect_to_host
from machine.operations.operation import Operation, Settings
from machine.store.orphans import Orphan
from machine.store.store import Store

_CANCEL_SECONDS = 15.0  # three heartbeats: by then a live owner has heard it and stopped at its next check
# The agent can take itself away; on a host that we do not reach, someone else has to say so.
_BY_HAND = "python3 -I -S /var/lib/pymachine-agent/current uninstall"


def remove(
    store: Store, machine: Machine, driver: Driver, settings: Settings, *, force: bool = False, keep_agent: bool = False
) -> bool:
    """Remove a machine and all that was made for it.

    Args:
        force: drop the record also when the host or the provider does not answer; what may be left is recorded.
        keep_agent: leave the agent on a host that stays.

    Returns:
        True when everything is gone; False when ``force`` left something, which is in the orphans table.

    Raises:
        PymachineError: something could not be removed; the record is kept, and says what still exists.
    """
    complete, left_behind = True, ""
    if force:
        _cancel_running(store, machine, settings)
    entry = store.journal.begin(machine, "remove", force=force)
    with Operation(store, entry, machine.name, "remove", settings) as op:
        # A host that stays has the agent taken off; one that goes takes it along. The converge says that it sends
        # something before it does: a create that was refused earlier than that has left nothing on the host.
        stays = not driver.capabilities.creates and store.history.ever_reported(machine, "converge")
        if stays and not keep_agent and not store.journal.step_done(entry, "uninstall"):
            try:
                _uninstall(op, machine, driver)
            except (HostUnreachable, HostKeyRejected, LoginRefused, BootstrapFailed) as error:
                first = error.hint or "try again later"
                error.hint = f"{first}; or forget it without the host: pymachine rm -f {machine.name}"
                if not force:
                    raise
                complete = False
                left_behind = f"the agent stays on {machine.address}: {error}"

        with op.step("instance") as step:
            provider_id, token, data = store.journal.recorded_instance(machine)
            try:
                op.fence()
                if provider_id:
                    driver.remove(provider_id, data, step)
            except PymachineError as error:
                if not force:
                    raise
                complete = False
                leave_credentials(store, machine, token)
                store.orphans.record(entry, _orphan(machine, provider_id, token, data, str(error)))
                step.warn(f"{provider_id} may still exist: {error}")

        with op.step("forget") as step:
            if left_behind:
                step.warn(left_behind)
                step.warn(f"to remove it by hand, as root on the host: {_BY_HAND}")
            op.files.remove_all()
        op.finish_removed()
    return complete


def _uninstall(op: Operation, machine: Machine, driver: Driver) -> None:
    with op.step("connect") as step:
        try:
            connection = connect_to_host(op, step, machine, driver.capabilities, patient=False)
        except LoginRefused:
            if not op.store.journal.step_begun(op.entry, "uninstall"):
                raise
            # An attempt that was cut off may have taken the machine's key off the host: as before there was one, then.
            connection = connect_to_host(op, step, _without_its_key(machine), driver.capabilities, patient=False)
    with op.step("uninstall") as step:
        wanted = wanted_document(op, machine, connection.user)
        sudo = connection.user != "root"
        with connection.open(bootstrap_command(sudo), op.deadline) as channel:
            left = session.uninstall(channel, wanted, emit=host_events(op, step), sudo=sudo)
        step.result["kept"] = list(left.kept)
        if left.kept:
            step.summary = f"kept on the host: {', '.join(left.kept)}"


def _without_its_key(machine: Machine) -> Machine:
    assert machine.instance is not None  # noqa: S101 - it has been reached before
    access = dataclasses.replace(machine.instance.access, machine_key_installed=False)
    return dataclasses.replace(machine, instance=dataclasses.replace(machine.instance, access=access))


def _cancel_running(store: Store, machine: Machine, settings: Settings) -> None:
    """Ask whoever is at this machine to stop, and wait for it; one that does not react is fenced off afterwards."""
    if not store.journal.request_cancel(machine):
        return
    waiting = Deadline(_CANCEL_SECONDS, cancellation=settings.cancellation.child())
    while store.journal.is_held(machine) and not waiting.passed:
        waiting.cancellation.sleep(0.05)


def _orphan(machine: Machine, id: str, token: str, data: dict[str, Any], reason: str) -> Orphan:
    return Orphan(
        driver=machine.spec.driver,
        kind=str(data.get("kind", "instance")),
        id=id,
        machine=machine.name,
        token=token,
        data=data,
        reason=reason,
        found_at=time.time(),
        account=machine.account,
    )
