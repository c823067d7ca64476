"""Several machines by one command: checked once, made side by side, each an operation of its own."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from machine.driver import Driver
from machine.errors import PymachineError
from machine.model import Machine, Spec
from machine.operations.create import check_name, create, pre_check
from machine.operations.enginesecrets import taken_out
from machine.operations.many import WORKERS, for_each
from machine.operations.operation import Settings
from machine.store.store import Store


@dataclass(frozen=True, slots=True)
class Plan:
    """One machine that shall be: the arguments of `create`."""

    spec: Spec
    driver: Driver  # its own: a driver remembers whose account it works for
    options: Any
    keep: Mapping[str, str] = field(default_factory=dict, repr=False)
    notes: tuple[str, ...] = ()  # what people should know of it, one line each
    resumed: bool = False  # it was begun before, and this is what was wanted then

    @property
    def name(self) -> str:
        """The machine's name."""
        return self.spec.name


def create_many(
    store: Store, plans: Sequence[Plan], settings: Settings, *, workers: int = WORKERS
) -> list[tuple[Plan, Machine | PymachineError]]:
    """Create machines, side by side; one that fails does not stop the others.

    Args:
        workers: so many at once.

    Returns:
        Each plan with its machine, or with the error it ended in; in the order given.

    Raises:
        InvalidName, NameTaken, PreCheckFailed: one of the names cannot be, or the first cannot be made: none was.
    """
    for plan in plans:
        check_name(store, plan.name)
        store.journal.check_same_options(dataclasses.replace(plan.spec, engine=taken_out(plan.spec.engine)[0]))
    if len(plans) > 1:  # what is wrong for the first is mostly wrong for all
        pre_check(store, plans[0].spec, plans[0].driver, plans[0].options)
    return for_each(
        plans,
        lambda plan: create(store, plan.spec, plan.driver, plan.options, settings, keep=plan.keep),
        workers=workers,
    )
