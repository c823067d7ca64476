"""The journal: intent before effect, one owner at a time, and nothing from one who was taken over."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import threading
from collections.abc import Callable
from typing import Any

import pytest

from machine.errors import MachineNotFound, NameTaken, OperationInProgress
from machine.model import Access, Endpoint, Event, Instance, State
from machine.store.journal import Entry
from machine.store.machines import Machines
from machine.store.owner import Owner
from machine.store.store import Store
from tests.unit.processes import python, started
from tests.unit.specs import add_machine, spec

EVENT = Event(machine="web", operation="create", step="instance", status="begun")
INSTANCE = Instance(driver="generic", id="other", access=Access(host="198.51.100.1"))


def step_done(store: Store, entry: Entry, name: str, result: dict[str, object]) -> None:
    """A step that is done, and the write that it goes with."""
    store.journal.step(entry, name, "done", EVENT, result, at_once=False)
    store.journal.catch_up(entry)


def with_the_next(store: Store, entry: Entry, record: Callable[[Entry, Any], None], what: object) -> None:
    """Something that is put off, and the write that it goes with."""
    record(entry, what)
    store.journal.catch_up(entry)


# The fenced writes: each is made by somebody who was taken over meanwhile.
WRITES: dict[str, Callable[[Store, Entry], None]] = {
    "request": lambda store, entry: with_the_next(store, entry, store.journal.record_request, {"size": "big"}),
    "resource": lambda store, entry: store.journal.record_resource(entry, "i-2", {"kind": "instance"}),
    "instance": lambda store, entry: store.journal.record_instance(entry, INSTANCE),
    "converged": lambda store, entry: store.journal.record_converged(entry, port=1, engine="e", facts={}),
    "endpoint": lambda store, entry: with_the_next(
        store, entry, store.journal.record_endpoint, Endpoint(url="tcp://x:1")
    ),
    "step begun": lambda store, entry: store.journal.step(entry, "instance", "begun", EVENT, at_once=True),
    "step done": lambda store, entry: step_done(store, entry, "reserve", {"more": 1}),
    "event": lambda store, entry: store.journal.event(entry, EVENT, at_once=True),
    "finish": lambda store, entry: store.journal.finish(entry, state=State.RUNNING),
    "failed": lambda store, entry: store.journal.finish(entry, state=State.ERROR, error="no"),
    "removed": lambda store, entry: store.journal.finish_removed(entry),
}


@pytest.fixture
def left_by_a_dead_process(store: Store) -> Entry:
    """A create that a process began and did not live to finish."""
    done = python(
        """
        import sys
        from machine.model import Event, Spec
        from machine.store.store import Store
        store = Store(sys.argv[1])
        spec = Spec(name="web", driver="generic", options={"ip_address": "192.0.2.7"})
        entry = store.journal.begin_create(spec)
        event = Event(machine="web", operation="create", step="reserve", status="begun")
        store.journal.step(entry, "reserve", "begun", event, at_once=True)
        store.journal.record_request(entry, {"size": "small"})
        store.journal.catch_up(entry)
        print(entry.id, entry.machine, entry.token, entry.epoch)
        """,
        store.directory,
    )
    number, machine, token, epoch = done.stdout.split()
    return Entry(id=int(number), machine=int(machine), token=token, epoch=int(epoch), resumed=False)


@pytest.fixture
def left_behind(store: Store) -> Entry:
    """The same, by a process of an earlier boot."""
    entry = store.journal.begin_create(spec())
    store.journal.step(entry, "reserve", "begun", EVENT, at_once=True)
    with store.database.write() as db:
        db.execute("UPDATE operations SET owner_started = 'an earlier boot'")
    return entry


def everything(store: Store) -> list[list[tuple[object, ...]]]:
    """All that the store holds."""
    tables = ("machines", "instances", "operations", "steps", "events", "orphans")
    return [[tuple(row) for row in store.database.read(f"SELECT * FROM {table}")] for table in tables]


def test_a_step_is_journalled_as_begun_before_it_is_done(store: Store) -> None:
    entry = store.journal.begin_create(spec())
    machine = store.machines.get("web")
    store.journal.step(entry, "instance", "begun", EVENT, at_once=True)
    (before,) = store.history.timeline(machine)[0]["Steps"]
    assert (before["Status"], before["EndedAt"]) == ("begun", None)
    assert not store.journal.step_done(entry, "instance")
    step_done(store, entry, "instance", {"address": "192.0.2.7"})
    (after,) = store.history.timeline(machine)[0]["Steps"]
    assert (after["Status"], after["Result"]) == ("done", {"address": "192.0.2.7"})
    assert after["BegunAt"] == before["BegunAt"] <= after["EndedAt"]
    assert store.journal.step_done(entry, "instance")


def said(store: Store, entry: Entry) -> list[str]:
    """What an operation's steps have said, as another process reads it."""
    return [row["text"] for row in store.database.read("SELECT text FROM events ORDER BY id") if row["text"]]


def test_what_a_step_says_goes_with_the_next_write_and_before_it(store: Store) -> None:
    entry = store.journal.begin_create(spec())
    for text in ("one", "two"):
        store.journal.event(entry, dataclasses.replace(EVENT, text=text), at_once=False)
    assert said(store, entry) == []
    store.journal.step(entry, "connect", "begun", dataclasses.replace(EVENT, text="three"), at_once=True)
    assert said(store, entry) == ["one", "two", "three"]


def test_what_a_step_says_at_once_takes_what_was_said_before_with_it(store: Store) -> None:
    entry = store.journal.begin_create(spec())
    for text, at_once in (("one", False), ("two", True)):
        store.journal.event(entry, dataclasses.replace(EVENT, text=text), at_once=at_once)
    assert said(store, entry) == ["one", "two"]


def test_a_write_that_fails_loses_nothing_of_what_waited_for_it(store: Store) -> None:
    entry = store.journal.begin_create(spec())
    store.journal.event(entry, dataclasses.replace(EVENT, text="one"), at_once=False)
    with pytest.raises(TypeError):
        store.journal.record_resource(entry, "i-2", {"kind": object()})
    assert said(store, entry) == []
    store.journal.event(entry, dataclasses.replace(EVENT, text="two"), at_once=True)
    assert said(store, entry) == ["one", "two"]


def test_what_must_be_on_disk_is_waited_for_where_another_thread_is_writing_it(store: Store) -> None:
    entry = store.journal.begin_create(spec())
    store.journal.record_request(entry, {"size": "small"})
    writing, go_on, on_disk = threading.Event(), threading.Event(), []

    def beat() -> None:
        with store.journal._write(entry):
            writing.set()
            go_on.wait(5)

    def act() -> None:
        store.journal.catch_up(entry)
        on_disk.append(store.journal.request(entry))

    threads = [threading.Thread(target=beat), threading.Thread(target=act)]
    threads[0].start()
    assert writing.wait(5)
    threads[1].start()
    threads[1].join(0.2)
    assert on_disk == []
    go_on.set()
    for thread in threads:
        thread.join()
    assert on_disk == [{"size": "small"}]


def test_what_was_put_off_before_a_takeover_is_not_written_by_a_later_attempt(store: Store, left_behind: Entry) -> None:
    store.journal.record_request(left_behind, {"size": "first"})
    other = Store(store.directory)
    taker = other.journal.begin_create(spec())
    with_the_next(other, taker, other.journal.record_request, {"size": "second"})
    other.journal.finish(taker, state=State.ERROR, error="no")
    other.close()
    again = store.journal.begin_create(spec())
    store.journal.step(again, "instance", "begun", EVENT, at_once=True)
    assert store.journal.request(again) == {"size": "second"}


def test_what_is_said_in_no_unicode_stops_no_later_write(store: Store) -> None:
    entry = store.journal.begin_create(spec())
    store.journal.event(entry, dataclasses.replace(EVENT, text="a file \udcff"), at_once=True)
    store.journal.finish(entry, state=State.ERROR, error="no file \udcff")
    assert said(store, entry) == ["a file ?"]
    assert store.machines.get("web").error == "no file ?"


def test_the_token_is_recorded_with_the_name_before_anything_is_made(store: Store) -> None:
    entry = store.journal.begin_create(spec())
    assert store.journal.recorded_instance(store.machines.get("web")) == ("", entry.token, {})


@pytest.mark.parametrize("write", WRITES)
def test_a_create_that_was_taken_over_writes_nothing_more(store: Store, left_behind: Entry, write: str) -> None:
    store.journal.begin_create(spec())
    before = everything(store)
    with pytest.raises(OperationInProgress, match="taken over"):
        WRITES[write](store, left_behind)
    assert everything(store) == before


@pytest.mark.parametrize("write", WRITES)
def test_a_create_that_a_remove_ended_writes_nothing_more(store: Store, left_behind: Entry, write: str) -> None:
    store.journal.begin(store.machines.get("web"), "remove")
    before = everything(store)
    with pytest.raises(OperationInProgress, match="taken over"):
        WRITES[write](store, left_behind)
    assert everything(store) == before


@pytest.mark.parametrize("write", WRITES)
def test_whoever_holds_an_operation_may_write(store: Store, write: str) -> None:
    entry = store.journal.begin_create(spec())
    before = everything(store)
    WRITES[write](store, entry)
    assert everything(store) != before


def test_a_dead_owners_create_is_taken_over_with_its_token_and_request(
    store: Store, left_by_a_dead_process: Entry
) -> None:
    assert store.history.interrupted() == {left_by_a_dead_process.machine: "create"}
    entry = store.journal.begin_create(spec())
    assert (entry.id, entry.token, entry.resumed) == (left_by_a_dead_process.id, left_by_a_dead_process.token, True)
    assert entry.epoch > left_by_a_dead_process.epoch
    assert store.journal.request(entry) == {"size": "small"}
    assert store.history.interrupted() == {}


def test_a_create_that_failed_is_taken_up_with_its_token(store: Store) -> None:
    first = store.journal.begin_create(spec())
    store.journal.finish(first, state=State.ERROR, error="connect: no answer")
    assert store.machines.get("web").error == "connect: no answer"
    second = store.journal.begin_create(spec())
    assert (second.token, second.resumed) == (first.token, True)
    assert (store.machines.get("web").state, store.machines.get("web").error) == (State.CREATING, None)


def test_a_live_owner_is_named_and_waited_for(store: Store) -> None:
    code = """
        import sys
        from machine.model import Spec
        from machine.store.store import Store
        store = Store(sys.argv[1])
        store.journal.begin_create(Spec(name="web", driver="generic", options={"ip_address": "192.0.2.7"}))
        print(flush=True)
        sys.stdin.read()
        """
    with started(code, store.directory) as other:
        with pytest.raises(OperationInProgress, match='"web" is in the middle of create') as raised:
            store.journal.begin_create(spec())
        assert f"process {other.pid} on " in str(raised.value.cause)
        with pytest.raises(OperationInProgress):
            store.journal.begin(store.machines.get("web"), "remove")
    assert store.journal.begin_create(spec()).resumed


def test_an_owner_is_not_mistaken_for_a_later_process_of_the_same_number() -> None:
    here = Owner.current()
    assert not here.is_dead()
    assert Owner(here.host, here.pid, "an earlier boot").is_dead()
    assert not Owner("another host", 1, "").is_dead()


def test_where_there_is_no_proc_a_dead_owner_is_known_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    with subprocess.Popen(["true"]) as gone:
        gone.wait()
    here = Owner.current()
    monkeypatch.setattr("machine.store.owner._BOOT_ID", "/nowhere")
    assert Owner(here.host, gone.pid, "").is_dead()
    assert not Owner(here.host, os.getpid(), "").is_dead()


def test_a_create_with_one_option_more_is_another_one(store: Store) -> None:
    store.journal.finish(store.journal.begin_create(spec()), state=State.ERROR, error="connect: no answer")
    with pytest.raises(NameTaken, match="begun with other options") as raised:
        store.journal.begin_create(spec(options={"ip_address": "192.0.2.7", "ssh_port": 2222}))
    assert raised.value.cause == "options.ssh_port: None then, 2222 now"


def test_a_create_with_other_options_shows_the_difference_and_changes_nothing(store: Store) -> None:
    entry = store.journal.begin_create(spec())
    store.journal.finish(entry, state=State.ERROR, error="connect: no answer")
    before = everything(store)
    with pytest.raises(NameTaken, match="begun with other options") as raised:
        store.journal.begin_create(spec(options={"ip_address": "192.0.2.8"}, tls_san=("a.example",)))
    assert raised.value.cause == (
        "options.ip_address: '192.0.2.7' then, '192.0.2.8' now; tls_san: [] then, ['a.example'] now"
    )
    assert "pymachine rm web" in str(raised.value.hint)
    assert everything(store) == before


@pytest.mark.parametrize("name", ["web", "WEB", "Web"])
def test_a_name_is_taken_ignoring_case(store: Store, name: str) -> None:
    add_machine(store, "Web")
    with pytest.raises(NameTaken, match='a machine "Web" exists'):
        store.journal.begin_create(spec(name))
    assert store.machines.names() == ["Web"]
    assert store.machines.get(name).name == "Web"


def test_after_a_remove_that_failed_a_create_does_not_resume(store: Store) -> None:
    entry = store.journal.begin(add_machine(store), "remove")
    store.journal.finish(entry, state=None, error="instance: no answer")
    with pytest.raises(NameTaken):
        store.journal.begin_create(spec())
    again = store.journal.begin(store.machines.get("web"), "remove")
    assert (again.token, again.resumed) == (entry.token, True)


def test_a_removed_machines_row_goes_and_its_operations_stay(store: Store) -> None:
    entry = store.journal.begin(add_machine(store), "remove")
    store.journal.finish_removed(entry)
    assert store.machines.find("web") is None
    kinds = store.database.read("SELECT kind, machine, machine_id, status FROM operations ORDER BY id")
    assert [tuple(row) for row in kinds] == [("create", "web", None, "done"), ("remove", "web", None, "done")]


def test_an_operation_on_a_machine_that_another_process_removed_is_refused(store: Store) -> None:
    machine = add_machine(store)
    store.journal.finish_removed(store.journal.begin(machine, "remove"))
    with pytest.raises(MachineNotFound, match='no machine "web" any more'):
        store.journal.begin(machine, "remove")


def test_a_machine_comes_back_as_it_was_recorded(store: Store) -> None:
    wanted = spec(tls_san=("a.example",), host_key_policy="strict")
    entry = store.journal.begin_create(wanted)
    access = Access(host="::1", port=2222, user="me", host_keys=("ssh-ed25519 AAAA",), machine_key_installed=False)
    instance = Instance(driver="generic", id="::1", access=access, data={"engine_port": 2376})
    store.journal.record_instance(entry, instance)
    store.journal.record_converged(entry, port=2376, engine="docker 1", facts={"os": "Debian"})
    store.journal.record_endpoint(entry, Endpoint(url="tcp://[::1]:2376"))
    store.journal.finish(entry, state=State.RUNNING)
    machine = store.machines.get("web")
    assert (machine.spec, machine.instance, machine.facts) == (wanted, instance, {"os": "Debian"})
    assert machine.endpoint is not None
    assert (machine.endpoint.url, machine.endpoint.port, machine.address) == ("tcp://[::1]:2376", 2376, "::1")


def test_an_unknown_name_gets_the_nearest_ones(store: Store) -> None:
    add_machine(store, "web1")
    with pytest.raises(MachineNotFound) as raised:
        store.machines.get("wep1")
    assert raised.value.hint == "did you mean web1?"
    with pytest.raises(MachineNotFound) as raised:
        Machines(store.database).get("zzz")
    assert raised.value.hint == "see them all: pymachine ls"
