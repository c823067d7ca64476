"""The plan of a fleet: a pure function of the fleet, of what is recorded, and of what was seen."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from machine.errors import NameTaken
from machine.fleet.changes import Action, Change, Plan, Verb
from machine.fleet.compare import NOTHING, Differences, differences
from machine.fleet.model import Fleet, WantedMachine
from machine.fleet.specs import Specs
from machine.fleet.workleft import work_left
from machine.model import Machine, State
from machine.operations.observe import Seen

_GONE = (State.GONE, State.PREEMPTED)
# After these, cut off, nobody knows whether it runs: a start finds out, and is success where it does.
_LEFT_ANYHOW = ("start", "restart", "stop", "kill", "resize")
_LEFT_UP = ("provision", "regenerate-certs")


def make_plan(
    fleet: Fleet,
    machines: Iterable[Machine],
    seen: Mapping[int, Seen],
    *,
    specs: Specs,
    unfinished: Mapping[int, str] = MappingProxyType({}),
) -> Plan:
    """What has to be done for the machines to be as the fleet's file says.

    Args:
        machines: all that are recorded, or at least those of the fleet and those of its names.
        seen: of those that were looked at, by the machine's id; of the others the recorded state counts.
        specs: what is wanted of each machine, see `machine.fleet.specs`.
        unfinished: machines whose last operation has not ended well, and which one; see `History.unfinished`.

    Raises:
        NameTaken: a machine of a wanted name is not the fleet's; it is never touched.
    """
    there = {machine.name.casefold(): machine for machine in machines}
    _refuse_strangers(fleet, there)
    changes = []
    wanted_names = set()
    for wanted in fleet.machines():
        key = wanted.name.casefold()
        wanted_names.add(key)
        machine = there.get(key)
        if machine is None:
            changes.append(_new(wanted))
        else:
            changes.append(_change(wanted, machine, seen.get(machine.id), specs, unfinished.get(machine.id, "")))
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
    return Plan(fleet=fleet.name, file=fleet.file, changes=tuple(changes))


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


def _change(wanted: WantedMachine, machine: Machine, seen: Seen | None, specs: Specs, unfinished: str) -> Change:
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
        if found.resize:  # what was asked of the provider is asked again, to the letter
            return change(Action.REPLACE, again, *found.resize.values())
        more = () if found == NOTHING else (Verb.PROVISION if found.host else Verb.RELABEL,)
        return change(Action.FINISH, (Verb.CREATE, *more), "its create was begun and not finished")
    state = seen.state if seen is not None else machine.state
    if state in _GONE:
        said = f": {seen.trouble}" if seen is not None and seen.trouble else ""
        return change(Action.REPAIR, again, f"it is {'gone' if state is State.GONE else 'preempted'}{said}")
    start = state is State.STOPPED or (unfinished in _LEFT_ANYHOW and capabilities.stop)
    in_place = _in_place(wanted, machine, seen, found, unfinished, start=start, has_host=capabilities.host)
    resize = {name: spec.options.get(name) for name in found.resize}
    return dataclasses.replace(in_place, resize=resize) if resize else in_place


def _in_place(
    wanted: WantedMachine,
    machine: Machine,
    seen: Seen | None,
    found: Differences,
    unfinished: str,
    *,
    start: bool,
    has_host: bool,
) -> Change:
    """What can be done about a machine that is there."""
    work = work_left(wanted, machine.applied, machine.instance.id if machine.instance else None)
    broken = _broken(seen, unfinished) if has_host else ""  # what is somebody else's, nobody here can mend
    verbs: list[Verb] = []
    if found.resize:
        verbs += [Verb.STOP, Verb.RESIZE, Verb.START]  # stopped already is success
    elif start:
        verbs.append(Verb.START)
    if found.host or work.files or work.commands or work.dropped or (broken and not verbs):
        verbs.append(Verb.PROVISION)
    elif found.record:
        verbs.append(Verb.RELABEL)
    reasons = [f"{reason} (it is stopped for that, and started)" for reason in found.resize.values()]
    reasons += [*found.host, *found.record, *work.reasons()]
    action = Action.UPDATE if reasons else Action.REPAIR
    reasons += [broken] if broken else ["it is stopped"] * start
    return Change(
        machine=wanted.name,
        group=wanted.group,
        action=action if verbs else Action.NONE,
        reasons=tuple(reasons) if verbs else (),
        verbs=tuple(verbs),
    )


def _broken(seen: Seen | None, unfinished: str) -> str:
    """What is wrong with a machine that bringing it up once more may mend; empty: nothing."""
    if unfinished in (*_LEFT_UP, *_LEFT_ANYHOW):
        return f"its {unfinished} was begun and not finished"
    if seen is None or seen.recorded or seen.timed_out or not seen.driven or seen.machine.endpoint is None:
        return ""
    if seen.state in (State.RUNNING, State.UNKNOWN) and seen.engine is None and seen.trouble:
        return seen.trouble
    return ""
