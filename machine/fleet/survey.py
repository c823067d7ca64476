"""A plan made of the store as it is and of what providers and hosts say now."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from machine.driver import Driver, load_driver
from machine.fleet.changes import Plan
from machine.fleet.digest import digest_of
from machine.fleet.hostseen import HostSeen
from machine.fleet.model import Fleet
from machine.fleet.plan import make_plan
from machine.fleet.specs import Specs, specs_of
from machine.model import Machine, State
from machine.operations.observe import Seen, observe
from machine.store.config import Config
from machine.store.store import Store

if TYPE_CHECKING:
    from machine.operations.operation import Settings

_UP = (State.RUNNING, State.UNKNOWN, State.ERROR)  # the last: something on it has not ended well
_HALF_THERE = ("create", "remove")


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """A fleet, what there is of it, and the plan."""

    fleet: Fleet
    specs: Specs
    machines: Mapping[str, Machine]  # recorded, of the fleet or of a wanted name; by the name, case folded
    seen: Mapping[int, Seen]  # by a machine's id
    unfinished: Mapping[int, str]  # which operation has not ended well; the same
    hosts: Mapping[int, HostSeen]  # what hosts said, of those that were asked; the same
    plan: Plan


def survey(
    store: Store,
    fleet: Fleet,
    config: Config,
    *,
    environ: Mapping[str, str] = os.environ,
    load: Callable[[str], Driver] = load_driver,
    look: bool = True,
    timeout: float = 10.0,
    hosts: Settings | None = None,
) -> Survey:
    """Read the store, look at the machines that are the fleet's, and plan.

    Args:
        look: False: ask nobody, and believe what is recorded.
        timeout: seconds for looking.
        hosts: ask the hosts, too, by these settings; their ``timeout`` is for each host. None: no connection is made to
            any.

    Raises:
        UsageError, NameTaken: there can be no plan.
    """
    specs = specs_of(fleet, config, environ, load)
    wanted = {machine.name.casefold() for machine in fleet.machines()}
    there = [each for each in store.machines.all() if each.spec.fleet == fleet.name or each.name.casefold() in wanted]
    own = [each for each in there if each.spec.fleet == fleet.name]
    seen = {each.machine.id: each for each in observe(store, own, load, timeout=timeout)} if look and own else {}
    unfinished = store.history.unfinished()
    on_hosts = _on_hosts(store, own, seen, unfinished, hosts) if hosts is not None else None
    plan = make_plan(fleet, there, seen, specs=specs, unfinished=unfinished, hosts=on_hosts)
    plan = plan.with_digest(digest_of(plan, fleet, specs, own, store.history.epochs(), on_hosts))
    return Survey(
        fleet=fleet,
        specs=specs,
        machines={each.name.casefold(): each for each in there},
        seen=seen,
        unfinished=unfinished,
        hosts=on_hosts or {},
        plan=plan,
    )


def _on_hosts(
    store: Store, own: Sequence[Machine], seen: Mapping[int, Seen], unfinished: Mapping[int, str], settings: Settings
) -> Mapping[int, HostSeen]:
    """What the hosts say of machines that are there, and run as far as anybody knows."""
    from machine.fleet.hostlook import look_at_hosts  # imports paramiko, which takes longer than most plans

    def up(machine: Machine) -> bool:
        state = seen[machine.id].state if machine.id in seen else machine.state
        return state in _UP and unfinished.get(machine.id) not in _HALF_THERE

    return look_at_hosts(store, [machine for machine in own if up(machine)], settings)
