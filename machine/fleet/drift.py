"""What has changed behind our back, at providers and on hosts: a survey that has asked both, in words. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from machine.errors import PymachineError
from machine.fleet.hostseen import changed_files
from machine.fleet.survey import Survey
from machine.fleet.workleft import of_instance
from machine.model import Machine, State


@dataclass(frozen=True, slots=True, kw_only=True)
class Drift:
    """One machine, and what is not as it was left."""

    machine: str
    found: tuple[str, ...]

    @property
    def name(self) -> str:
        """The machine's name."""
        return self.machine


def drift(found: Survey) -> list[tuple[str, Drift | PymachineError]]:
    """Compare what is recorded of a fleet's machines with what providers and hosts said.

    Args:
        found: a survey that asked hosts.

    Returns:
        The machines that are not as they were left, and those whose host could not be asked.
    """
    outcomes: list[tuple[str, Drift | PymachineError]] = []
    for machine in found.machines.values():
        if machine.spec.fleet != found.fleet.name:
            continue
        host = found.hosts.get(machine.id)
        if host is not None and host.error is not None and machine.id not in found.unfinished:
            outcomes.append((machine.name, host.error))
        elif lines := _drift(found, machine):
            outcomes.append((machine.name, Drift(machine=machine.name, found=tuple(lines))))
    return outcomes


def _drift(found: Survey, machine: Machine) -> list[str]:
    seen, host = found.seen.get(machine.id), found.hosts.get(machine.id)
    lines = []
    if machine.id in found.unfinished:
        lines.append(f"{found.unfinished[machine.id]} was begun and not finished")
    elif seen is not None and seen.state not in (State.RUNNING, State.UNKNOWN):
        lines.append(f"it is {str(seen.state).lower()}")
    elif seen is not None and seen.trouble and not seen.timed_out:
        lines.append(seen.trouble)
    if host is not None and machine.instance is not None:
        recorded = of_instance(machine.applied, machine.instance.id)["files"]
        lines += [line for each in changed_files(recorded, host).values() for line in each]
        lines += host.engine
    return lines
