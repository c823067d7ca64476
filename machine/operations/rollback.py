"""After a create that failed: what it made is left for the next attempt, or taken away."""

from __future__ import annotations

import dataclasses

from machine.deadline import Cancellation
from machine.errors import PymachineError
from machine.operations.account import account_of, sign_in
from machine.operations.createmany import Plan
from machine.operations.operation import Settings
from machine.operations.remove import remove
from machine.store.store import Store

ON_FAILURE = ("keep", "rollback", "ask")


def made_something(store: Store, name: str) -> bool:
    """Whether an unfinished create of this name has left a record, and with it perhaps more."""
    found = store.machines.find(name)
    return found is not None and store.history.may_resume_create(found)


def roll_back(store: Store, plan: Plan, settings: Settings) -> None:
    """Remove what an unfinished create has made, and its record; nothing there is success.

    Raises:
        PymachineError: something is left; the record is kept, and says what.
    """
    found = store.machines.find(plan.name)
    if found is None or not store.history.may_resume_create(found):
        return
    driver = sign_in(plan.driver, account_of(store, found))
    # A Ctrl-C that ended the create is not meant for what cleans up after it.
    remove(store, found, driver, dataclasses.replace(settings, cancellation=Cancellation()))


def rolled_back(error: PymachineError) -> PymachineError:
    """The error of a create whose traces are gone: there is nothing to go on with."""
    error.hint = (error.hint or "").partition("to go on: ")[0].strip() or None
    return error
