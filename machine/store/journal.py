"""Operations, their steps and what they report: intent before effect, fenced by an epoch.

A step is written as begun before it acts, and as done, with what it learnt, after. Every write of an operation says
``WHERE epoch = …``: a process that was taken over (it slept, it was stopped) changes nothing when it wakes up.

What only tells (a step that is done, what it says on its way) need not be on disk before something happens. It goes
with the operation's next write, or heartbeat: that is half of what it writes, and each costs a sync of the disk.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import sqlite3
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from machine.errors import MachineNotFound, NameTaken
from machine.model import Endpoint, Event, Instance, Machine, Spec, State
from machine.store import machines
from machine.store.database import Database
from machine.store.lease import (
    Entry,
    close_abandoned,
    fenced,
    is_held,
    last_operation,
    open_operation,
    refuse_when_held,
    take_over,
    taken_over,
)

_Statement = tuple[str, tuple[Any, ...]]
_STEP_BEGUN = """INSERT INTO steps (operation_id, name, status, begun_at) VALUES (?, ?, 'begun', ?)
    ON CONFLICT DO UPDATE SET status = 'begun', begun_at = excluded.begun_at, ended_at = NULL"""
_STEP_ENDED = "UPDATE steps SET status = ?, ended_at = ?, result = ? WHERE operation_id = ? AND name = ?"


@dataclasses.dataclass(slots=True)
class _Late:
    """What goes with an operation's next write; one thread at a time writes it, for heartbeats come from another."""

    statements: list[_Statement] = dataclasses.field(default_factory=list)
    turn: threading.Lock = dataclasses.field(default_factory=threading.Lock)


class Journal:
    """The operations of a store."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._late: dict[tuple[int, int], _Late] = {}  # by operation and epoch

    @contextlib.contextmanager
    def _write(
        self, entry: Entry, assignment: str = "heartbeat = ?", value: object = None
    ) -> Iterator[sqlite3.Connection]:
        """A transaction of an operation that is still ours; what was put off goes first.

        Args:
            assignment, value: of the operation's row; else its heartbeat.
        """
        late = self._late_of(entry)
        with late.turn:
            with self._database.write() as db:
                fenced(db, entry, assignment, time.time() if value is None else value)
                going = tuple(late.statements)
                for statement in going:
                    db.execute(*statement)
                yield db
            del late.statements[: len(going)]  # not before they are on disk

    def _late_of(self, entry: Entry) -> _Late:
        return self._late.setdefault((entry.id, entry.epoch), _Late())

    def _put_off(self, entry: Entry, *statements: _Statement) -> None:
        self._late_of(entry).statements.extend(statements)

    def catch_up(self, entry: Entry) -> None:
        """Write what was put off, if anything was; comes back when it is on disk, whoever wrote it."""
        late = self._late.get((entry.id, entry.epoch))
        if late is None:
            return
        with late.turn:
            left = bool(late.statements)
        if left:
            with self._write(entry):
                pass

    def let_go(self, entry: Entry) -> None:
        """The operation has ended here: what it could not write is not written under a later attempt's epoch."""
        self._late.pop((entry.id, entry.epoch), None)

    def begin_create(self, spec: Spec) -> Entry:
        """Reserve the name and open the operation; or take up a create of the same name that was not finished.

        Raises:
            NameTaken: a machine of this name exists, ignoring case.
            OperationInProgress: another process is at it.
        """
        with self._database.write() as db:
            row = db.execute("SELECT * FROM machines WHERE name_key = ?", (spec.name.casefold(),)).fetchone()
            if row is None:
                machine = machines.insert(db, spec, time.time())
                entry = open_operation(db, machine, spec.name, "create", spec.driver, uuid.uuid4().hex)
                db.execute(
                    "INSERT INTO instances (machine_id, driver, provider_id, token) VALUES (?, ?, '', ?)",
                    (machine, spec.driver, entry.token),
                )
                return entry
            last = last_operation(db, row["id"])
            refuse_when_held(last, row["name"])
            if last is None or last["kind"] != "create" or last["status"] == "done":
                raise _taken(row["name"])
            _refuse_other_options(row, spec)
            db.execute("UPDATE machines SET state = ?, error = NULL WHERE id = ?", (State.CREATING.value, row["id"]))
            return take_over(db, last)

    def check_same_options(self, spec: Spec) -> None:
        """
        Raises:
            NameTaken: a create of this name was begun with other options.
        """
        for row in self._database.read("SELECT * FROM machines WHERE name_key = ?", (spec.name.casefold(),)):
            _refuse_other_options(row, spec)

    def check_name_free(self, name: str) -> None:
        """
        Raises:
            NameTaken: a machine of this name exists, ignoring case.
        """
        rows = self._database.read("SELECT name FROM machines WHERE name_key = ?", (name.casefold(),))
        if rows:
            raise _taken(rows[0]["name"])

    def record_taken_over(
        self, spec: Spec, instance: Instance, endpoint: Endpoint | None, *, state: State, account: Mapping[str, Any]
    ) -> None:
        """Record a machine that another program made, all that is known of it at once.

        Args:
            account: whom its driver asks about it; no secret.

        Raises:
            NameTaken: a machine of this name exists, ignoring case.
        """
        now = time.time()
        with self._database.write() as db:
            row = db.execute("SELECT name FROM machines WHERE name_key = ?", (spec.name.casefold(),)).fetchone()
            if row is not None:
                raise _taken(row["name"])
            machine = machines.insert(db, spec, now)
            entry = open_operation(db, machine, spec.name, "import", spec.driver, uuid.uuid4().hex)
            db.execute(
                "INSERT INTO instances (machine_id, driver, provider_id, token, access, data)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (
                    machine,
                    spec.driver,
                    instance.id,
                    entry.token,
                    json.dumps(machines.fields_of(instance.access)),
                    json.dumps(dict(instance.data)),
                ),
            )
            url, route = (endpoint.url, endpoint.route) if endpoint is not None else (None, "direct")
            db.execute(
                "UPDATE machines SET address = ?, url = ?, route = ?, port = ?, state = ?, state_at = ? WHERE id = ?",
                (instance.address, url, route, endpoint.port if endpoint else None, state.value, now, machine),
            )
            whose = json.dumps(dict(account), sort_keys=True)
            db.execute("UPDATE machines SET account = ? WHERE id = ?", (whose, machine))
            db.execute(
                "UPDATE operations SET status = 'done', finished_at = ?, account = ? WHERE id = ?",
                (now, whose, entry.id),
            )

    def begin(self, machine: Machine, kind: str, *, force: bool = False) -> Entry:
        """Open an operation on a machine that exists, or take up one of this kind that was not finished.

        Args:
            force: fence off another operation, whoever holds it.

        Raises:
            OperationInProgress: another process is at it.
            MachineNotFound: another process has removed it since it was looked up.
        """
        with self._database.write() as db:
            last = last_operation(db, machine.id)
            if not force:
                refuse_when_held(last, machine.name)
            if last is not None and last["kind"] == kind and last["status"] != "done":
                return take_over(db, last)
            taken_from = close_abandoned(db, last) if last is not None and last["status"] == "running" else ""
            entry = open_operation(db, machine.id, machine.name, kind, machine.spec.driver, uuid.uuid4().hex)
            return dataclasses.replace(entry, taken_from=taken_from)

    def request_cancel(self, machine: Machine) -> bool:
        """Ask whoever runs an operation on this machine to stop; True while somebody is at it."""
        with self._database.write() as db:
            last = last_operation(db, machine.id)
            if last is None or not is_held(last):
                return False
            db.execute("UPDATE operations SET cancel_requested = 1 WHERE id = ?", (last["id"],))
            return True

    def is_held(self, machine: Machine) -> bool:
        """Whether some process is at this machine."""
        rows = self._database.read(
            "SELECT * FROM operations WHERE machine_id = ? ORDER BY id DESC LIMIT 1", (machine.id,)
        )
        return bool(rows) and is_held(rows[0])

    def check_fence(self, entry: Entry) -> None:
        """Raise `OperationInProgress` when the operation was taken over; reads only."""
        rows = self._database.read("SELECT epoch FROM operations WHERE id = ?", (entry.id,))
        if not rows or rows[0]["epoch"] != entry.epoch:
            raise taken_over()

    def request(self, entry: Entry) -> dict[str, Any] | None:
        """The resolved request that was recorded, when there is one: a resume asks for the same thing."""
        rows = self._database.read("SELECT request FROM operations WHERE id = ?", (entry.id,))
        return json.loads(rows[0]["request"]) if rows and rows[0]["request"] else None

    def record_request(self, entry: Entry, request: Mapping[str, Any]) -> None:
        """The intent, and whose account it is for.

        It goes with the next write: the begin of the step that calls the driver, which is on disk before it does.
        """
        account = json.dumps(request.get("account", {}), sort_keys=True)
        self._put_off(
            entry,
            (
                "UPDATE operations SET request = ?, account = ? WHERE id = ?",
                (json.dumps(dict(request)), account, entry.id),
            ),
            ("UPDATE machines SET account = ? WHERE id = ?", (account, entry.machine)),
        )

    def record_resource(self, entry: Entry, id: str, data: Mapping[str, Any], *, at_once: bool = True) -> None:
        """An id that appeared inside the driver's create.

        Args:
            at_once: False: with the next write, for nothing was made.
        """
        self._put_off(
            entry,
            (
                "UPDATE instances SET provider_id = ?, data = ? WHERE machine_id = ?",
                (id, json.dumps(dict(data)), entry.machine),
            ),
        )
        if at_once:
            self.catch_up(entry)

    def record_spec(self, entry: Entry, spec: Spec) -> None:
        """Record what is wanted of the machine from now on."""
        with self._write(entry) as db:
            db.execute("UPDATE machines SET spec = ? WHERE id = ?", (machines.dump_spec(spec), entry.machine))

    def record_applied(self, entry: Entry, applied: Mapping[str, Any]) -> None:
        """Record what was done on the host for a fleet, as it stands after this."""
        with self._write(entry) as db:
            db.execute("UPDATE machines SET applied = ? WHERE id = ?", (json.dumps(dict(applied)), entry.machine))

    def record_instance(self, entry: Entry, instance: Instance, *, at_once: bool = True) -> None:
        """Record what the driver returned: from now on the host can be reached.

        Args:
            at_once: False: with the next write; what is recorded can be found out again.
        """
        self._put_off(entry, *_instance_rows(entry, instance))
        if at_once:
            self.catch_up(entry)

    def record_converged(
        self,
        entry: Entry,
        *,
        port: int,
        engine: str,
        facts: Mapping[str, Any],
        instance: Instance | None = None,
        at_once: bool = True,
    ) -> None:
        """Record what the host said at the end of a converge, and how it is reached since.

        Args:
            at_once: False: with the next write; a converge that is repeated finds it out again.
        """
        if instance is not None:
            self._put_off(entry, *_instance_rows(entry, instance))
        self._put_off(
            entry,
            (
                "UPDATE machines SET port = ?, engine = ?, facts = ? WHERE id = ?",
                (port, engine, json.dumps(dict(facts)), entry.machine),
            ),
        )
        if at_once:
            self.catch_up(entry)

    def record_endpoint(self, entry: Entry, endpoint: Endpoint) -> None:
        """Record where clients reach the engine, once that is known: with the next write, for the end is near."""
        self._put_off(
            entry,
            ("UPDATE machines SET url = ?, route = ? WHERE id = ?", (endpoint.url, endpoint.route, entry.machine)),
        )

    def record_state(self, entry: Entry, state: State) -> None:
        """Record what a driver is about to bring about: with it, that the operation is still ours."""
        now = time.time()
        with self._write(entry) as db:
            db.execute("UPDATE machines SET state = ?, state_at = ? WHERE id = ?", (state.value, now, entry.machine))

    def step_done(self, entry: Entry, name: str) -> bool:
        """Whether an earlier attempt at this operation finished this step."""
        rows = self._database.read(
            "SELECT 1 FROM steps WHERE operation_id = ? AND name = ? AND status = 'done'", (entry.id, name)
        )
        return bool(rows)

    def step_begun(self, entry: Entry, name: str) -> bool:
        """Whether this operation, in whichever attempt, has begun this step."""
        rows = self._database.read("SELECT 1 FROM steps WHERE operation_id = ? AND name = ?", (entry.id, name))
        return bool(rows)

    def recorded_data(self, entry: Entry) -> dict[str, Any]:
        """The driver's notes on the operation's machine, as they were last recorded."""
        rows = self._database.read("SELECT data FROM instances WHERE machine_id = ?", (entry.machine,))
        return json.loads(rows[0]["data"]) if rows else {}

    def recorded_instance(self, machine: Machine) -> tuple[str, str, dict[str, Any]]:
        """What is recorded of a machine's instance: provider's id, token and the driver's notes."""
        rows = self._database.read("SELECT provider_id, token, data FROM instances WHERE machine_id = ?", (machine.id,))
        if not rows:
            raise MachineNotFound(f'no machine "{machine.name}" any more', machine=machine.name)
        return rows[0]["provider_id"], rows[0]["token"], json.loads(rows[0]["data"])

    def step(
        self,
        entry: Entry,
        name: str,
        status: str,
        event: Event,
        result: Mapping[str, Any] | None = None,
        *,
        at_once: bool,
    ) -> None:
        """A step's begin or end, with its event.

        Args:
            at_once: on disk before more is done; else with the next write.
        """
        now = time.time()
        if status == "begun":
            row: _Statement = (_STEP_BEGUN, (entry.id, name, now))
        else:
            row = (_STEP_ENDED, (status, now, json.dumps(dict(result or {})), entry.id, name))
        self._put_off(entry, row, _event_row(entry, event))
        if at_once:
            self.catch_up(entry)

    def event(self, entry: Entry, event: Event, *, at_once: bool) -> None:
        """Something a step reports on its way."""
        self._put_off(entry, _event_row(entry, event))
        if at_once:
            self.catch_up(entry)

    def finish(self, entry: Entry, *, state: State | None, error: str | None = None) -> None:
        """Close the operation and say in the same breath what the machine is now; None leaves the state as it is."""
        now, error = time.time(), error and _storable(error)
        with self._write(entry, "status = ?", "failed" if error else "done") as db:
            db.execute("UPDATE operations SET finished_at = ?, error = ? WHERE id = ?", (now, error, entry.id))
            db.execute("UPDATE machines SET error = ? WHERE id = ?", (error, entry.machine))
            if state is not None:
                db.execute(
                    "UPDATE machines SET state = ?, state_at = ? WHERE id = ?", (state.value, now, entry.machine)
                )

    def finish_removed(self, entry: Entry) -> None:
        """Close a remove: the machine's row goes in the same transaction, so that no state between is ever seen."""
        with self._write(entry, "status = ?", "done") as db:
            db.execute("UPDATE operations SET finished_at = ? WHERE id = ?", (time.time(), entry.id))
            db.execute("DELETE FROM machines WHERE id = ?", (entry.machine,))


def _taken(name: str) -> NameTaken:
    return NameTaken(
        f'a machine "{name}" exists',
        machine=name,
        hint=f"choose another name, or remove it: pymachine rm {name}",
    )


def _event_row(entry: Entry, event: Event) -> _Statement:
    return (
        "INSERT INTO events (operation_id, machine, at, step, status, text, elapsed) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (entry.id, event.machine, event.at, event.step, event.status, _storable(event.text), event.elapsed),
    )


def _storable(text: str) -> str:
    """SQLite refuses what is not Unicode, as the name of a file may be: every later write would fail with it."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _instance_rows(entry: Entry, instance: Instance) -> tuple[_Statement, _Statement]:
    access, data = json.dumps(machines.fields_of(instance.access)), json.dumps(dict(instance.data))
    return (
        (
            "UPDATE instances SET provider_id = ?, access = ?, data = ? WHERE machine_id = ?",
            (instance.id, access, data, entry.machine),
        ),
        ("UPDATE machines SET address = ? WHERE id = ?", (instance.address, entry.machine)),
    )


def _refuse_other_options(row: sqlite3.Row, spec: Spec) -> None:
    differences = _differences(json.loads(row["spec"]), json.loads(machines.dump_spec(spec)))
    if differences:
        raise NameTaken(
            f'"{row["name"]}" was begun with other options',
            machine=row["name"],
            cause="; ".join(differences),
            hint=f"repeat the first options to go on, or start over: pymachine rm {row['name']}",
        )


def _differences(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = "") -> list[str]:
    found = []
    for key in sorted({*old, *new} - {"sources"}):  # the same thing said in another place is the same thing
        if key not in old and prefix != "options.":  # of these only what was said is recorded
            continue  # recorded by a pymachine that did not know of it
        before, after = old.get(key), new.get(key)
        if isinstance(before, dict) and isinstance(after, dict):
            found += _differences(before, after, f"{prefix}{key}.")
        elif before != after:
            found.append(f"{prefix}{key}: {before!r} then, {after!r} now")
    return found
