"""A lease that nobody keeps alive can be taken over, and whoever lost it changes nothing more."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from machine.errors import Cancelled, OperationInProgress, PymachineError
from machine.model import Event
from machine.store.heartbeat import Heartbeats
from machine.store.lease import LEASE_SECONDS, Entry
from machine.store.store import Store
from tests.unit.store.test_journal import add_machine

SOON = 5.0  # seconds: for what takes milliseconds


def age(store: Store, entry: Entry, seconds: float) -> None:
    """Let the owner have been silent for this long."""
    with store.database.write() as db:
        db.execute("UPDATE operations SET heartbeat = heartbeat - ? WHERE id = ?", (seconds, entry.id))


@pytest.fixture
def stopped() -> tuple[threading.Event, list[PymachineError]]:
    """What a heartbeat says to its operation."""
    return threading.Event(), []


@pytest.fixture
def beats(store: Store) -> Heartbeats:
    return Heartbeats(store.database, store.journal, seconds=0.01)


def test_a_silent_owner_is_named_and_refused_until_its_lease_has_run_out(store: Store) -> None:
    machine = add_machine(store)
    entry = store.journal.begin(machine, "provision")
    age(store, entry, LEASE_SECONDS / 2)
    with pytest.raises(OperationInProgress, match="in the middle of provision"):
        store.journal.begin(machine, "provision")


def test_a_lease_that_ran_out_is_taken_over_and_the_old_owner_is_fenced_off(store: Store) -> None:
    machine = add_machine(store)
    sleeper = store.journal.begin(machine, "provision")
    age(store, sleeper, LEASE_SECONDS + 1)
    taker = store.journal.begin(machine, "provision")
    assert taker.token == sleeper.token
    assert "silent for 31 s" in taker.taken_from
    with pytest.raises(OperationInProgress, match="taken over"):
        store.journal.check_fence(sleeper)
    with pytest.raises(OperationInProgress, match="taken over"):
        store.journal.finish(sleeper, state=None)
    store.journal.check_fence(taker)


def test_an_operation_of_another_kind_fences_the_silent_one_off_too(store: Store) -> None:
    machine = add_machine(store)
    sleeper = store.journal.begin(machine, "provision")
    age(store, sleeper, LEASE_SECONDS + 1)
    assert store.journal.begin(machine, "stop").token != sleeper.token
    with pytest.raises(OperationInProgress):
        store.journal.check_fence(sleeper)


def test_a_heartbeat_keeps_a_lease(store: Store, beats: Heartbeats) -> None:
    machine = add_machine(store)
    entry = store.journal.begin(machine, "provision")
    age(store, entry, LEASE_SECONDS + 1)
    beats.keep(entry, lambda _reason: None)
    renewed = threading.Event()
    while not renewed.wait(0.01):
        if store.journal.is_held(machine):
            renewed.set()
    beats.release(entry)


def test_a_heartbeat_takes_along_what_the_operation_has_said(store: Store, beats: Heartbeats) -> None:
    machine = add_machine(store)
    entry = store.journal.begin(machine, "provision")
    event = Event(machine=machine.name, operation="provision", step="converge", status="progress", text="installing")
    store.journal.event(entry, event, at_once=False)
    beats.keep(entry, lambda _reason: None)
    seen = threading.Event()
    while not seen.wait(0.01):
        if store.history.ever_reported(machine, "converge"):
            seen.set()
    beats.release(entry)


def test_a_heartbeat_tells_its_operation_that_it_was_taken_over(
    store: Store, beats: Heartbeats, stopped: tuple[threading.Event, list[PymachineError]]
) -> None:
    event, reasons = stopped
    machine = add_machine(store)
    entry = store.journal.begin(machine, "provision")
    beats.keep(entry, lambda reason: (reasons.append(reason), event.set()))  # type: ignore[func-returns-value]
    store.journal.begin(machine, "remove", force=True)
    assert event.wait(SOON)
    assert isinstance(reasons[0], OperationInProgress)


def test_a_heartbeat_tells_its_operation_that_it_shall_stop(
    store: Store, beats: Heartbeats, stopped: tuple[threading.Event, list[PymachineError]]
) -> None:
    event, reasons = stopped
    machine = add_machine(store)
    entry = store.journal.begin(machine, "provision")
    beats.keep(entry, lambda reason: (reasons.append(reason), event.set()))  # type: ignore[func-returns-value]
    assert store.journal.request_cancel(machine)
    assert event.wait(SOON)
    assert isinstance(reasons[0], Cancelled)


def test_an_operation_that_is_taken_over_within_a_heartbeat_leaves_those_of_the_others_alive(
    store: Store,
    beats: Heartbeats,
    stopped: tuple[threading.Event, list[PymachineError]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    event, reasons = stopped
    lost, other = (store.journal.begin(add_machine(store, name), "provision") for name in ("one", "two"))
    store.journal.event(lost, Event(machine="one", operation="provision", step="s", status="progress"), at_once=False)
    catch_up = store.journal.catch_up

    def too_late(entry: Entry) -> None:
        if entry == lost:
            with store.database.write() as db:
                db.execute("UPDATE operations SET epoch = epoch + 1 WHERE id = ?", (entry.id,))
        catch_up(entry)

    monkeypatch.setattr(store.journal, "catch_up", too_late)
    beats.keep(lost, lambda reason: (reasons.append(reason), event.set()))  # type: ignore[func-returns-value]
    beats.keep(other, reasons.append)
    assert event.wait(SOON)
    age(store, other, LEASE_SECONDS)
    end = time.monotonic() + SOON
    while not store.journal.is_held(store.machines.get("two")) and time.monotonic() < end:
        time.sleep(0.01)
    assert store.journal.is_held(store.machines.get("two"))
    beats.release(other)
    assert [type(each) for each in reasons] == [OperationInProgress]


def test_nobody_is_asked_to_cancel_where_nothing_runs(store: Store) -> None:
    assert not store.journal.request_cancel(add_machine(store))


def test_a_thread_has_a_connection_of_its_own(tmp_path: Path) -> None:
    store = Store(str(tmp_path / "store"))
    machine = add_machine(store)
    entered, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with store.database.write():
            entered.set()
            leave.wait(SOON)

    holder = threading.Thread(target=hold)
    holder.start()
    assert entered.wait(SOON)
    assert store.machines.get(machine.name).id == machine.id  # a reader never waits
    leave.set()
    holder.join()
    store.close()
