"""``gc``: what is out there with this store's marks and without a machine, and taking it away.

It removes only what an operation of this store's own journal made: a copied or restored store has the same marks and
not the same journal, and must not delete what the other one made since.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from machine.deadline import Deadline
from machine.driver import Driver
from machine.errors import PymachineError
from machine.operations.account import Account, account_of, account_of_orphan, sign_in
from machine.operations.operation import Settings
from machine.store.orphans import Orphan
from machine.store.store import Store


@dataclass(frozen=True, slots=True)
class Survey:
    """What was found, and who could not be asked."""

    orphans: list[Orphan] = field(default_factory=list)  # ours to remove
    foreign: list[Orphan] = field(default_factory=list)  # our marks, another journal's work: only shown
    silent: list[str] = field(default_factory=list)  # drivers that did not answer, and why


def survey(store: Store, load: Callable[[str], Driver]) -> Survey:
    """Ask every driver, in every account that this store ever used it for, what carries its marks."""
    found = Survey(orphans=store.orphans.all())
    recorded = {(each.driver, each.kind, each.id) for each in found.orphans}
    known, own = store.orphans.known_tokens(), store.orphans.own_tokens()
    for name, account in accounts(store, found.orphans):
        try:
            resources = sign_in(load(name), account).find(store.id)
        except PymachineError as error:
            where = ", ".join(f"{key} {value}" for key, value in account.settings.items() if value)
            found.silent.append(f"{name}{f' ({where})' if where else ''}: {error}")
            continue
        for each in resources:
            if each.token in known or (each.driver, each.kind, each.id) in recorded:
                continue
            recorded.add((each.driver, each.kind, each.id))  # two accounts may be one, by two names
            orphan = Orphan(
                driver=each.driver,
                kind=each.kind,
                id=each.id,
                machine=each.machine,
                token=each.token,
                data={"kind": each.kind},
                reason="no machine of this store owns it",
                found_at=time.time(),
                account=account.settings,
            )
            (found.orphans if each.token in own else found.foreign).append(orphan)
    return found


def collect(store: Store, orphan: Orphan, load: Callable[[str], Driver], settings: Settings) -> None:
    """Remove one orphan at its provider, and then from the table.

    Raises:
        PymachineError: it could not be removed; it stays in the table.
    """
    driver = sign_in(load(orphan.driver), account_of_orphan(store, orphan))
    driver.remove(orphan.id, orphan.data, Collector(settings))
    store.orphans.forget(orphan)
    if not any(each.token == orphan.token for each in store.orphans.all()):
        store.left.remove(f"{orphan.token}.json")


def accounts(store: Store, orphans: Sequence[Orphan]) -> list[tuple[str, Account]]:
    """Every driver and account to ask, each once: with the secrets that a machine or an orphan keeps for it, if any."""
    kept = [(machine.spec.driver, account_of(store, machine)) for machine in store.machines.all()]
    kept += [(orphan.driver, account_of_orphan(store, orphan)) for orphan in orphans]
    found = {(driver, account.key): account for driver, account in kept if account.kept}
    opened = {(driver, json.dumps(dict(account.settings), sort_keys=True)) for (driver, _), account in found.items()}
    for driver, settings in store.orphans.accounts_ever_used():
        if (driver, json.dumps(settings, sort_keys=True)) not in opened:
            found[driver, Account(settings).key] = Account(settings)
    return [(driver, account) for (driver, _), account in found.items()]


class Collector:
    """A `machine.driver.Recorder` without a journal: what is being removed is recorded already, or marked."""

    def __init__(self, settings: Settings) -> None:
        self._deadline = Deadline(settings.timeout, cancellation=settings.cancellation)

    def resource(self, kind: str, id: str, **data: Any) -> None:
        """Nothing is made here."""

    def progress(self, text: str) -> None:
        """Nothing is told while an orphan goes."""

    def check(self, waiting_for: str = "") -> None:
        """Raise when it is time to stop."""
        self._deadline.check(waiting_for or "an orphan to go")

    def recall(self) -> dict[str, Any]:
        """Nothing is recorded of it but what `remove` is given."""
        return {}

    def keep(self, name: str, make: Callable[[], bytes]) -> bytes:
        """Nothing is made here that could be repeated."""
        return make()
