"""What has changed behind our back: at providers, and on hosts, which are asked over one connection each."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from machine.bootstrap.stub import command as run_script
from machine.deadline import Deadline
from machine.driver import Driver, load_driver
from machine.errors import BootstrapFailed, PymachineError
from machine.fleet.survey import Survey
from machine.fleet.workleft import of_instance
from machine.model import Machine, State
from machine.operations.absent import driver_of
from machine.operations.enginesecrets import put_back
from machine.operations.enginesettings import daemon_settings
from machine.operations.hostconnection import open_connection
from machine.operations.many import for_each
from machine.operations.operation import Settings
from machine.store.store import Store

_SETTINGS = "/etc/docker/daemon.json"
_END = "-- that is all --"
_LOOK = """look() {
    if [ -f "$target" ]; then
        sum=$(sha256sum <"$target") && echo "${sum%% *} $(stat -c '%a %U:%G %u:%g' -- "$target")"
    else
        echo missing
    fi
}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """One machine, and what is not as it was left."""

    machine: str
    found: tuple[str, ...]

    @property
    def name(self) -> str:
        """The machine's name."""
        return self.machine


def drift(
    store: Store, found: Survey, settings: Settings, load: Callable[[str], Driver] = load_driver
) -> list[tuple[str, Drift | PymachineError]]:
    """Compare what is recorded of a fleet's machines with providers and hosts.

    Args:
        found: with what was seen of the machines.

    Returns:
        The machines that are not as they were left, and those whose host could not be asked.
    """
    own = [machine for machine in found.machines.values() if machine.spec.fleet == found.fleet.name]
    unfinished = store.history.unfinished()

    def look(machine: Machine) -> Drift:
        seen = found.seen.get(machine.id)
        if unfinished.get(machine.id):
            return Drift(machine=machine.name, found=(f"{unfinished[machine.id]} was begun and not finished",))
        if seen is not None and seen.state not in (State.RUNNING, State.UNKNOWN):
            return Drift(machine=machine.name, found=(f"it is {str(seen.state).lower()}",))
        said = []
        if seen is not None and seen.trouble and not seen.timed_out:
            said.append(seen.trouble)
        return Drift(machine=machine.name, found=(*said, *_on_host(store, machine, settings)))

    outcomes = for_each(own, look)
    return [
        (machine.name, outcome) for machine, outcome in outcomes if isinstance(outcome, PymachineError) or outcome.found
    ]


def _on_host(store: Store, machine: Machine, settings: Settings) -> list[str]:
    """What is not on a host as it was left."""
    driver = driver_of(store, machine)
    if not driver.capabilities.host or not machine.has_host or machine.instance is None:
        return []
    files: Mapping[str, str] = of_instance(machine.applied, machine.instance.id)["files"]
    wanted = daemon_settings(put_back(store.files(machine.name), machine.spec.engine))
    if not files and not wanted:
        return []
    lines = [f"target={shlex.quote(target)}\nlook" for target in files]
    lines += [f"echo {shlex.quote(_END)}", f"target={_SETTINGS}", 'cat "$target" 2>/dev/null', "exit 0"]
    script = "\n".join([_LOOK, *lines, ""]).encode()
    deadline = Deadline(settings.timeout, cancellation=settings.cancellation.child())
    with (
        open_connection(
            store, machine, driver.capabilities, deadline, ask_passphrase=settings.ask_passphrase
        ) as connection,
        connection.open(run_script(connection.user != "root", script), deadline) as channel,
    ):
        channel.send(script)
        channel.close_stdin()
        said = b""
        while part := channel.recv(65536):
            said += part
        trouble = channel.stderr()
    there, end, engine = said.decode("utf-8", "replace").partition(f"{_END}\n")
    if not end:
        raise BootstrapFailed(
            "the host does not say what is on it", code="sudo", cause=trouble.decode("utf-8", "replace").strip() or None
        )
    return [*_files(files, there.splitlines()), *_engine(wanted, engine)]


def _files(files: Mapping[str, str], lines: list[str]) -> list[str]:
    found = []
    for (target, state), line in zip(files.items(), lines, strict=False):
        digest, mode, owner = state.split(" ")
        if line == "missing":
            found.append(f"{target} is missing")
            continue
        is_digest, is_mode, *is_owner = line.split(" ")
        if is_digest != digest:
            found.append(f"{target} has another content")
        if int(is_mode, 8) != int(mode, 8):
            found.append(f"{target} has the mode {int(is_mode, 8):04o}, not {mode}")
        if owner not in is_owner:
            found.append(f"{target} belongs to {is_owner[0]}, not to {owner}")
    return found


def _engine(wanted: Mapping[str, Any], said: str) -> list[str]:
    """Settings that the engine's file does not have; what else is in it is the host's own business."""
    if not wanted:
        return []
    try:
        there = json.loads(said)
    except ValueError:
        return [f"{_SETTINGS} is missing, or is not JSON"]
    return [f"{_SETTINGS}: {key} is not as wanted" for key, value in wanted.items() if not _has(there.get(key), value)]


def _has(there: Any, wanted: Any) -> bool:
    if isinstance(wanted, dict):
        return isinstance(there, dict) and all(_has(there.get(key), value) for key, value in wanted.items())
    if isinstance(wanted, list):
        return isinstance(there, list) and all(each in there for each in wanted)
    return bool(there == wanted)
