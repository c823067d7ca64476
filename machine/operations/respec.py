"""Another spec for a machine that exists: written down before anything is done about it."""

from __future__ import annotations

import dataclasses

from machine.model import Machine, Spec
from machine.operations.enginesecrets import ENGINE_SECRETS, HIDDEN, as_file, taken_out
from machine.operations.operation import Operation, Settings
from machine.store.store import Store


def want(op: Operation, spec: Spec) -> None:
    """Record, as a step, what is wanted of the operation's machine from now on.

    Args:
        spec: its engine's settings with the passwords in them, or with the placeholders of those that are kept.
    """
    with op.step("wanted"):
        engine, passwords = taken_out(spec.engine)
        for name, content in as_file(passwords).items():
            op.files.write(name, content)
        op.store.journal.record_spec(op.entry, dataclasses.replace(spec, engine=engine))
        if HIDDEN not in repr(engine):  # none is needed any more
            op.files.remove(ENGINE_SECRETS)


def relabel(store: Store, machine: Machine, spec: Spec, settings: Settings) -> Machine:
    """Record another spec that changes nothing on the host: labels, the group, the policy for host keys.

    Raises:
        OperationInProgress: another process is at the machine.
    """
    # Named after what goes on with it: who repeats that writes no spec, and finds this one written or not.
    with Operation(store, store.journal.begin(machine, "provision"), machine.name, "provision", settings) as op:
        want(op, spec)
        op.finish(None)
    return store.machines.get(machine.name)
