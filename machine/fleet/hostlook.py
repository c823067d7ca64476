"""Asking hosts what is on them, over one connection each, many side by side; nothing on them is changed."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence

from machine.bootstrap.stub import command as run_script
from machine.deadline import Deadline
from machine.errors import BootstrapFailed, PymachineError
from machine.fleet.hostseen import ENVIRONMENT, SETTINGS, HostSeen, changed_environment, changed_settings
from machine.fleet.workleft import of_instance
from machine.model import Machine
from machine.operations.absent import driver_of
from machine.operations.enginesecrets import put_back
from machine.operations.enginesettings import daemon_environment, daemon_settings
from machine.operations.hostconnection import open_connection
from machine.operations.many import for_each
from machine.operations.operation import Settings
from machine.store.store import Store

_NEXT = "-- the next --"
_END = "-- that is all --"
_LOOK = """look() {
    if [ -f "$target" ]; then
        if sum=$(sha256sum <"$target") && kept=$(stat -c '%a:%u:%g:%U:%G' -- "$target")
        then echo "${sum%% *} $kept"
        else echo unread
        fi
    elif [ -e "$target" ] || [ -L "$target" ]; then
        echo other
    else
        echo missing
    fi
}
show() {
    cat "$target" 2>/dev/null
    echo
}
"""
_STORAGE = "docker info --format '{{.Driver}}' 2>/dev/null"


def look_at_hosts(store: Store, machines: Sequence[Machine], settings: Settings) -> dict[int, HostSeen]:
    """What is on the hosts of these machines, by a machine's id; of one that cannot be asked, why.

    Args:
        settings: its ``timeout`` is for each host.

    Raises:
        Cancelled: by the operator.
    """
    outcomes = for_each(machines, lambda machine: _look(store, machine, settings))
    settings.cancellation.check()  # who stopped it has not learnt that hosts do not answer
    return {
        machine.id: HostSeen(error=outcome) if isinstance(outcome, PymachineError) else outcome
        for machine, outcome in outcomes
    }


def _look(store: Store, machine: Machine, settings: Settings) -> HostSeen:
    driver = driver_of(store, machine)
    if not driver.capabilities.host or not machine.has_host or machine.instance is None:
        return HostSeen()
    files: Mapping[str, str] = of_instance(machine.applied, machine.instance.id)["files"]
    wanted, environment = {}, {}
    if not (machine.taken_over or machine.spec.join):  # else the settings are somebody else's
        engine = put_back(store.files(machine.name), machine.spec.engine)
        wanted, environment = daemon_settings(engine), daemon_environment(engine)
    if not (files or wanted or environment):
        return HostSeen()
    lines = [f"target={shlex.quote(target)}\nlook" for target in files]
    lines += [f"echo {shlex.quote(_NEXT)}", f"target={SETTINGS}", "show" if wanted else ":"]
    lines += [f"echo {shlex.quote(_NEXT)}", f"target={ENVIRONMENT}", "show" if environment else ":"]
    lines += [f"echo {shlex.quote(_NEXT)}", _STORAGE if "storage-driver" in wanted else ":"]
    lines += [f"echo {shlex.quote(_END)}", "exit 0"]
    states, daemon, drop_in, storage = _ask(store, machine, settings, "\n".join([_LOOK, *lines, ""]).encode())
    return HostSeen(
        files=dict(zip(files, states.splitlines(), strict=False)),
        engine=(*changed_settings(wanted, daemon, storage.strip()), *changed_environment(environment, drop_in)),
    )


def _ask(store: Store, machine: Machine, settings: Settings, script: bytes) -> list[str]:
    """What a script says, run as root on a machine's host, in its four parts."""
    deadline = Deadline(settings.timeout, cancellation=settings.cancellation.child())
    capabilities = driver_of(store, machine).capabilities
    with (
        open_connection(store, machine, capabilities, deadline, ask_passphrase=settings.ask_passphrase) as connection,
        connection.open(run_script(connection.user != "root", script), deadline) as channel,
    ):
        channel.send(script)
        channel.close_stdin()
        said = b""
        while part := channel.recv(65536):
            said += part
        trouble = channel.stderr()
    there, end, _ = said.decode("utf-8", "replace").rpartition(f"{_END}\n")
    parts = there.split(f"{_NEXT}\n")
    if not end or len(parts) != 4:
        raise BootstrapFailed(
            "the host does not say what is on it", code="sudo", cause=trouble.decode("utf-8", "replace").strip() or None
        )
    return parts
