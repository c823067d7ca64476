"""Removing all that a fleet has made: what depends on something goes before it."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from machine.fleet.changes import Action, Change, Verb
from machine.fleet.model import Fleet, Limits
from machine.fleet.schedule import Outcome, Work, schedule
from machine.model import Machine
from machine.operations.absent import driver_of
from machine.operations.operation import Settings
from machine.operations.remove import remove
from machine.store.store import Store

_NO_MORE = "(not in the file)"


def owned(store: Store, fleet: str) -> list[Machine]:
    """The machines that a fleet has made."""
    return [machine for machine in store.machines.all() if machine.spec.fleet == fleet]


def removals(fleet: Fleet, machines: Iterable[Machine]) -> list[Work[Change]]:
    """What is to be removed, as a schedule wants it; what the file does not know any more depends on all the rest."""
    groups: dict[str, list[Change]] = {group.name: [] for group in fleet.groups}
    groups[_NO_MORE] = []
    for machine in machines:
        group = machine.spec.group
        change = Change(
            machine=machine.name,
            group=group,
            action=Action.REMOVE,
            reasons=("the fleet is destroyed",),
            verbs=(Verb.REMOVE,),
        )
        groups[group if group in groups else _NO_MORE].append(change)
    first: dict[str, tuple[str, ...]] = {name: (_NO_MORE,) for name in groups if name != _NO_MORE}
    parallel: dict[str, int] = {}
    for each in fleet.groups:
        parallel[each.name] = each.limits.parallel
        for name in each.depends:
            first[name] = (*first[name], each.name)
    return [
        Work(
            name=name,
            tasks=tasks,
            depends=first.get(name, ()),
            # One that stays is no reason to keep the others.
            limits=Limits(max_failures=len(tasks), parallel=parallel.get(name, Limits().parallel)),
        )
        for name, tasks in groups.items()
    ]


def destroy(
    store: Store,
    fleet: Fleet,
    machines: Iterable[Machine],
    settings: Settings,
    *,
    parallel: int | None = None,
    ended: Callable[[Outcome[Change]], None] = lambda _outcome: None,
) -> list[Outcome[Change]]:
    """Remove machines of a fleet; one that stays is told, and the others go.

    Args:
        machines: see `owned`.
        parallel: at most so many at once.
        ended: called for each machine as its work ends.
    """

    def act(change: Change) -> None:
        machine = store.machines.find(change.machine)
        if machine is not None and machine.spec.fleet == fleet.name:
            remove(store, machine, driver_of(store, machine), settings)

    return schedule(removals(fleet, machines), act, parallel=parallel, cancellation=settings.cancellation, ended=ended)
