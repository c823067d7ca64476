"""What a plan was made from, in one word: the fleet as it is wanted, what is recorded of its machines, and
what hosts said where they were asked. Pure.

Each operation on a machine raises its epoch, so whatever has been done to one since shows. No secret is in it: engine
settings stand without their passwords, and what remains goes through a hash.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Mapping

from machine.fleet.changes import Plan
from machine.fleet.hostseen import HostSeen
from machine.fleet.model import Fleet
from machine.fleet.specs import Specs
from machine.fleet.workleft import command_key, file_state
from machine.model import EngineSpec, Machine
from machine.operations.enginesecrets import taken_out


def digest_of(
    plan: Plan,
    fleet: Fleet,
    specs: Specs,
    machines: Iterable[Machine],
    epochs: Mapping[int, int],
    hosts: Mapping[int, HostSeen] | None = None,
) -> str:
    """What a saved plan is compared by.

    Args:
        machines: those that the fleet owns or wants.
        epochs: by a machine's id, see `History.epochs`.
        hosts: what they said, where they were asked.
    """
    found = hashlib.sha256()

    def add(what: object) -> None:
        found.update(json.dumps(what, sort_keys=True, default=str).encode())

    add([[change.machine, str(change.action), list(change.reasons)] for change in plan.pending])
    for group in fleet.groups:
        add([group.name, group.depends, dataclasses.astuple(group.limits)])
    engines: dict[EngineSpec, EngineSpec] = {}
    for wanted in fleet.machines():
        spec = specs.wanted[wanted.name].spec
        if spec.engine not in engines:
            engines[spec.engine] = taken_out(spec.engine)[0]
        add([spec.name, spec.driver, spec.group, spec.host_key_policy, spec.tls_san, repr(engines[spec.engine])])
        add([dict(spec.options), dict(spec.labels)])
        add([f"{each.target} {file_state(each)}" for each in wanted.files])
        add([f"{command_key(each)} {each.when}" for each in wanted.commands])
    for machine in sorted(machines, key=lambda each: each.id):
        add([machine.id, machine.name, epochs.get(machine.id)])
    if hosts is not None:
        add([[each, hosts[each].digest()] for each in sorted(hosts)])
    return found.hexdigest()
