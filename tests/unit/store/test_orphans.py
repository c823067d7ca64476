"""What is left behind is remembered until it is gone."""

from __future__ import annotations

import pytest

from machine.errors import OperationInProgress
from machine.store.orphans import Orphan
from machine.store.store import Store
from tests.unit.store.test_journal import add_machine

VOLUME = Orphan(
    driver="generic", kind="volume", id="i-1", machine="web", token="t", data={"zone": "a"}, reason="no answer",
    found_at=1.0,
)  # fmt: skip


def test_what_could_not_be_removed_outlives_the_machine_until_it_is_forgotten(store: Store) -> None:
    machine = add_machine(store)
    entry = store.journal.begin(machine, "remove")
    store.orphans.record(entry, VOLUME)
    store.journal.finish_removed(entry)
    assert store.orphans.all() == [VOLUME]
    store.orphans.forget(VOLUME)
    assert store.orphans.all() == []


def test_an_operation_that_was_taken_over_records_no_orphan(store: Store) -> None:
    machine = add_machine(store)
    entry = store.journal.begin(machine, "remove")
    store.journal.begin(machine, "remove", force=True)
    with pytest.raises(OperationInProgress):
        store.orphans.record(entry, VOLUME)
    assert store.orphans.all() == []
