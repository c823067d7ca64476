"""A plan made of the store as it is and of what providers and hosts say now."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from machine.driver import Driver, load_driver
from machine.fleet.changes import Plan
from machine.fleet.digest import digest_of
from machine.fleet.model import Fleet
from machine.fleet.plan import make_plan
from machine.fleet.specs import Specs, specs_of
from machine.model import Machine
from machine.operations.observe import Seen, observe
from machine.store.config import Config
from machine.store.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """A fleet, what there is of it, and the plan."""

    fleet: Fleet
    specs: Specs
    machines: Mapping[str, Machine]  # recorded, of the fleet or of a wanted name; by the name, case folded
    seen: Mapping[int, Seen]  # by a machine's id
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
) -> Survey:
    """Read the store, look at the machines that are the fleet's, and plan.

    Args:
        look: False: ask nobody, and believe what is recorded.
        timeout: seconds for looking.

    Raises:
        UsageError, NameTaken: there can be no plan.
    """
    specs = specs_of(fleet, config, environ, load)
    wanted = {machine.name.casefold() for machine in fleet.machines()}
    there = [each for each in store.machines.all() if each.spec.fleet == fleet.name or each.name.casefold() in wanted]
    own = [each for each in there if each.spec.fleet == fleet.name]
    seen = {each.machine.id: each for each in observe(store, own, load, timeout=timeout)} if look and own else {}
    plan = make_plan(fleet, there, seen, specs=specs, unfinished=store.history.unfinished())
    plan = plan.with_digest(digest_of(plan, fleet, specs, own, store.history.epochs()))
    return Survey(
        fleet=fleet, specs=specs, machines={each.name.casefold(): each for each in there}, seen=seen, plan=plan
    )
