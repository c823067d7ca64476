"""The plan of a fleet: a pure function of the fleet, of what is recorded, and of what was seen."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any

from machine.errors import NameTaken
from machine.fleet.changes import Action, Change, Plan, Verb
from machine.fleet.compare import NOTHING, Differences, differences
from machine.fleet.hostseen import HostSeen, changed_files
from machine.fleet.model import Fleet, WantedMachine
from machine.fleet.specs import Specs
from machine.fleet.workleft import file_state, forgotten, of_instance, work_left
from machine.model import Machine, State
from machine.operations.observe import Seen

_GONE = (State.GONE, State.PREEMPTED)
# After these, cut off, nobody knows whether it runs: a start finds out, and is success where it does.
_LEFT_ANYHOW = ("start", "restart", "stop", "kill", "resize")
_LEFT_UP = ("provision", "regenerate-certs")
# A change with one of these hears from the host itself that it cannot be reached.
_ON_HOST = frozenset({Verb.CREATE, Verb.REMOVE, Verb.START, Verb.ACCESS, Verb.PROVISION})


def make_plan(
    fleet: Fleet,
    machines: Iterable[Machine],
    seen: Mapping[int, Seen],
    *,
    specs: Specs,
    unfinished: Mapping[int, str] = MappingProxyType({}),
    hosts: Mapping[int, HostSeen] | None = None,
) -> Plan:
    """What has to be done for the machines to be as the fleet's file says.

    Args:
        machines: all that are recorded, or at least those of the fleet and those of its names.
        seen: of those that were looked at, by the machine's id; of the others the recorded state counts.
        specs: what is wanted of each machine, see `machine.fleet.specs`.
        unfinished: machines whose last operation has not ended well, and which one; see `History.unfinished`.
        hosts: what hosts said, by the machine's id; None: they were not asked. Of one that could not be asked, and of
            one that is not among them, what is recorded counts.

    Raises:
        NameTaken: a machine of a wanted name is not the fleet's; it is never touched.
    """
    there = {machine.name.casefold(): machine for machine in machines}
    _refuse_strangers(fleet, there)
    changes, unknown = [], {}
    wanted_names = set()
    for wanted in fleet.machines():
        key = wanted.name.casefold()
        wanted_names.add(key)
        machine = there.get(key)
        if machine is None:
            changes.append(_new(wanted))
        else:
            host = (hosts or {}).get(machine.id)
            change = _change(wanted, machine, seen.get(machine.id), specs, unfinished.get(machine.id, ""), host)
            changes.append(change)
            if host is not None and host.error is not None and not _ON_HOST.intersection(change.verbs):
                cause = f" ({host.error.cause})" if host.error.cause else ""
                unknown[wanted.name] = f"{host.error}{cause}"
    for key, machine in there.items():
        if machine.spec.fleet == fleet.name and key not in wanted_names:
            changes.append(
                Change(
                    machine=machine.name,
                    group=machine.spec.group,
                    action=Action.REMOVE,
                    reasons=("the fleet does not have it any more",),
                    verbs=(Verb.REMOVE,),
                )
            )
    return Plan(fleet=fleet.name, file=fleet.file, changes=tuple(changes), hosts=hosts is not None, unknown=unknown)


def _refuse_strangers(fleet: Fleet, there: Mapping[str, Machine]) -> None:
    strangers = []
    for wanted in fleet.machines():
        machine = there.get(wanted.name.casefold())
        if machine is not None and machine.spec.fleet != fleet.name:
            whose = f"of the fleet {machine.spec.fleet}" if machine.spec.fleet else "made by hand"
            where = f"{wanted.at}: " if wanted.at else ""
            strangers.append(f'{where}a machine "{machine.name}" exists, {whose}')
    if strangers:
        raise NameTaken(
            strangers[0],
            cause="; ".join(strangers[1:]) or None,
            hint=f"choose another name; or make it the fleet's: pymachine fleet import --adopt {fleet.file}",
        )


def _new(wanted: WantedMachine) -> Change:
    return Change(
        machine=wanted.name,
        group=wanted.group,
        action=Action.CREATE,
        reasons=("it is not there yet",),
        verbs=(Verb.CREATE,),
    )


def _change(
    wanted: WantedMachine, machine: Machine, seen: Seen | None, specs: Specs, unfinished: str, host: HostSeen | None
) -> Change:
    spec, capabilities = specs.wanted[wanted.name].spec, specs.capabilities[wanted.driver]
    found = differences(machine.spec, spec, capabilities)

    def change(action: Action, verbs: tuple[Verb, ...], *reasons: str) -> Change:
        # A machine keeps the name under which it is recorded, also where the file has it in another case.
        return Change(machine=wanted.name, group=wanted.group, action=action, reasons=reasons, verbs=verbs)

    again = (Verb.REMOVE, Verb.CREATE)
    if unfinished == "remove":
        return change(Action.REPLACE, again, "its removal was begun and not finished")
    if found.replace:
        return change(Action.REPLACE, again, *found.replace)
    if unfinished == "create":
        if found.resize or found.access:  # what was asked for is asked for again, to the letter
            return change(Action.REPLACE, again, *found.resize.values(), *found.access.values())
        more = () if found == NOTHING else (Verb.PROVISION if found.host else Verb.RELABEL,)
        return change(Action.FINISH, (Verb.CREATE, *more), "its create was begun and not finished")
    state = seen.state if seen is not None else machine.state
    if state in _GONE:
        said = f": {seen.trouble}" if seen is not None and seen.trouble else ""
        return change(Action.REPAIR, again, f"it is {'gone' if state is State.GONE else 'preempted'}{said}")
    start = state is State.STOPPED or (unfinished in _LEFT_ANYHOW and capabilities.stop)
    in_place = _in_place(wanted, machine, seen, found, unfinished, host, start=start, has_host=capabilities.host)
    resize = {name: spec.options.get(name) for name in found.resize}
    if not found.resize and not found.access:
        return in_place
    return dataclasses.replace(in_place, resize=resize, access=tuple(found.access))


def _in_place(
    wanted: WantedMachine,
    machine: Machine,
    seen: Seen | None,
    found: Differences,
    unfinished: str,
    host: HostSeen | None,
    *,
    start: bool,
    has_host: bool,
) -> Change:
    """What can be done about a machine that is there."""
    instance = machine.instance.id if machine.instance else None
    applied, engine = machine.applied, tuple[str, ...]()
    put_back: dict[str, tuple[str, ...]] = {}
    if host is not None:
        applied = of_instance(applied, instance)
        put_back, engine = _put_back(wanted, applied, host), host.engine
        applied = forgotten(applied, wanted, put_back)
    work = work_left(wanted, applied, instance)
    broken = _broken(seen, unfinished) if has_host else ""  # what is somebody else's, nobody here can mend
    left = not has_host and unfinished in _LEFT_UP  # a record that was about to be written
    verbs: list[Verb] = []
    if found.resize:
        verbs += [Verb.STOP, Verb.RESIZE, Verb.START]  # stopped already is success
    elif start:
        verbs.append(Verb.START)
    if found.access:
        verbs.append(Verb.ACCESS)
    elif found.host or engine or work.files or work.commands or work.dropped or (broken and not verbs):
        verbs.append(Verb.PROVISION)
    elif found.record or left:
        verbs.append(Verb.RELABEL)
    reasons = [f"{reason} (it is stopped for that, and started)" for reason in found.resize.values()]
    reasons += [*found.access.values(), *found.host, *found.record]
    reasons += [*(line for lines in put_back.values() for line in lines), *engine, *work.reasons(put_back)]
    action = Action.UPDATE if reasons else Action.REPAIR
    reasons += [broken] if broken else ["it is stopped"] * start
    reasons += [f"its {unfinished} was begun and not finished"] * left
    return Change(
        machine=wanted.name,
        group=wanted.group,
        action=action if verbs else Action.NONE,
        reasons=tuple(reasons) if verbs else (),
        verbs=tuple(verbs),
        put_back=tuple(put_back),
    )


def _put_back(wanted: WantedMachine, applied: Mapping[str, Any], host: HostSeen) -> dict[str, tuple[str, ...]]:
    """The files that are wanted as they were left, and are not so on the host; each with what is otherwise.

    One that is wanted otherwise by now is put there anyway, and one that is not wanted any more is the host's own.
    """
    states = {file.target: file_state(file) for file in wanted.files}
    left = {target: state for target, state in applied["files"].items() if states.get(target) == state}
    return changed_files(left, host)


def _broken(seen: Seen | None, unfinished: str) -> str:
    """What is wrong with a machine that bringing it up once more may mend; empty: nothing."""
    if unfinished in (*_LEFT_UP, *_LEFT_ANYHOW):
        return f"its {unfinished} was begun and not finished"
    if seen is None or seen.recorded or seen.timed_out or not seen.driven or seen.machine.endpoint is None:
        return ""
    if seen.state in (State.RUNNING, State.UNKNOWN) and seen.engine is None and seen.trouble:
        return seen.trouble
    return ""
