"""Making machines that exist a fleet's own: from then on it may change and remove them."""

from __future__ import annotations

import dataclasses

from machine.errors import MachineNotFound, NameTaken, PymachineError
from machine.fleet.model import Fleet
from machine.model import Machine
from machine.operations.lifecycle import finished
from machine.operations.many import for_each
from machine.operations.operation import Settings
from machine.operations.respec import relabel
from machine.store.store import Store


def adopt(store: Store, fleet: Fleet, settings: Settings) -> list[tuple[Machine, Machine | PymachineError]]:
    """Mark the machines of a fleet's names that are nobody's; nothing else about them changes.

    Returns:
        Those that were to be marked, each as it is now or with its error.

    Raises:
        NameTaken: one of them is another fleet's; none was marked.
        MachineNotFound: there is none to be marked.
    """
    groups = {machine.name.casefold(): machine.group for machine in fleet.machines()}
    there = [machine for machine in store.machines.all() if machine.name.casefold() in groups]
    others = [machine for machine in there if machine.spec.fleet not in ("", fleet.name)]
    if others:
        raise NameTaken(
            f'"{others[0].name}" is of the fleet {others[0].spec.fleet}',
            machine=others[0].name,
            hint="take it out of that fleet's file first, or choose another name",
        )
    free = [machine for machine in there if not machine.spec.fleet]
    if not free:
        raise MachineNotFound(
            f"no machine of the fleet {fleet.name} is anybody's to adopt", hint="pymachine ls -o wide"
        )

    def mark(machine: Machine) -> Machine:
        finished(store, machine)
        spec = dataclasses.replace(machine.spec, fleet=fleet.name, group=groups[machine.name.casefold()])
        return relabel(store, machine, spec, settings)

    return for_each(free, mark)
