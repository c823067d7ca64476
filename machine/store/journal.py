"""Operations, their steps and what they report: intent before effect, fenced by an epoch.

A step is written as begun before it acts, and as done, with what it learnt, after. Every write of an operation says
``WHERE epoch = …``: a process that was taken over (it slept, it was stopped) changes nothing when it wakes up.
"""

from __future__ import annotations

import dataclasses
import json
import sqlite3
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from machine.errors import MachineNotFound, NameTaken, OperationInProgress
from machine.model import Event, Instance, Machine, Spec, State
from machine.store import machines
from machine.store.database import Database
from machine.store.owner import Owner


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A running operation as this process holds it."""

    id: int
    machine: int
    token: str
    epoch: int
    resumed: bool  # it was begun before, by a process that is gone or an attempt that failed


class Journal:
    """The operations of a store."""

    def __init__(self, database: Database) -> None:
        self._database = database

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
                entry = _open(db, machine, spec.name, "create", uuid.uuid4().hex)
                db.execute(
                    "INSERT INTO instances (machine_id, driver, provider_id, token) VALUES (?, ?, '', ?)",
                    (machine, spec.driver, entry.token),
                )
                return entry
            last = _last(db, row["id"])
            _refuse_when_running(last, row["name"])
            if last is None or last["kind"] != "create" or last["status"] == "done":
                raise NameTaken(
                    f'a machine "{row["name"]}" exists',
                    machine=row["name"],
                    hint=f"choose another name, or remove it: pymachine rm {row['name']}",
                )
            if row["spec"] != machines.dump_spec(spec):
                raise NameTaken(
                    f'"{row["name"]}" was begun with other options',
                    machine=row["name"],
                    cause="; ".join(_differences(json.loads(row["spec"]), json.loads(machines.dump_spec(spec)))),
                    hint=f"repeat the first options to go on, or start over: pymachine rm {row['name']}",
                )
            db.execute("UPDATE machines SET state = ?, error = NULL WHERE id = ?", (State.CREATING.value, row["id"]))
            return _take_over(db, last)

    def begin(self, machine: Machine, kind: str) -> Entry:
        """Open an operation on a machine that exists.

        Raises:
            OperationInProgress: another process is at it.
            MachineNotFound: another process has removed it since it was looked up.
        """
        with self._database.write() as db:
            last = _last(db, machine.id)
            _refuse_when_running(last, machine.name)
            if last is not None and last["kind"] == kind and last["status"] != "done":
                return _take_over(db, last)
            if last is not None and last["status"] == "running":  # its owner is dead, and it will not go on
                db.execute(
                    "UPDATE operations SET status = 'failed', error = 'interrupted', epoch = epoch + 1 WHERE id = ?",
                    (last["id"],),
                )
            return _open(db, machine.id, machine.name, kind, uuid.uuid4().hex)

    def may_resume_create(self, machine: Machine) -> bool:
        """Whether ``create`` of this name goes on with what was begun (by whom, the reservation finds out)."""
        rows = self._database.read(
            "SELECT kind, status FROM operations WHERE machine_id = ? ORDER BY id DESC LIMIT 1", (machine.id,)
        )
        return bool(rows) and rows[0]["kind"] == "create" and rows[0]["status"] != "done"

    def request(self, entry: Entry) -> dict[str, Any] | None:
        """The resolved request that was recorded, when there is one: a resume asks for the same thing."""
        rows = self._database.read("SELECT request FROM operations WHERE id = ?", (entry.id,))
        return json.loads(rows[0]["request"]) if rows and rows[0]["request"] else None

    def record_request(self, entry: Entry, request: Mapping[str, Any]) -> None:
        """The intent: written before the driver is called."""
        with self._database.write() as db:
            _fenced(db, entry, "request = ?", json.dumps(dict(request)))

    def record_resource(self, entry: Entry, id: str, data: Mapping[str, Any]) -> None:
        """An id that appeared inside the driver's create."""
        with self._database.write() as db:
            _fenced(db, entry, "heartbeat = ?", time.time())
            db.execute(
                "UPDATE instances SET provider_id = ?, data = ? WHERE machine_id = ?",
                (id, json.dumps(dict(data)), entry.machine),
            )

    def record_instance(self, entry: Entry, instance: Instance) -> None:
        """Record what the driver returned: from now on the host can be reached."""
        with self._database.write() as db:
            _fenced(db, entry, "heartbeat = ?", time.time())
            db.execute(
                "UPDATE instances SET provider_id = ?, access = ?, data = ? WHERE machine_id = ?",
                (
                    instance.id,
                    json.dumps(dataclasses.asdict(instance.access)),
                    json.dumps(dict(instance.data)),
                    entry.machine,
                ),
            )
            db.execute("UPDATE machines SET address = ? WHERE id = ?", (instance.address, entry.machine))

    def record_converged(self, entry: Entry, *, url: str, engine: str, facts: Mapping[str, Any]) -> None:
        """Record what the host said at the end of a converge, and where its endpoint is."""
        with self._database.write() as db:
            _fenced(db, entry, "heartbeat = ?", time.time())
            db.execute(
                "UPDATE machines SET url = ?, engine = ?, facts = ? WHERE id = ?",
                (url, engine, json.dumps(dict(facts)), entry.machine),
            )

    def step_done(self, entry: Entry, name: str) -> bool:
        """Whether an earlier attempt at this operation finished this step."""
        rows = self._database.read(
            "SELECT 1 FROM steps WHERE operation_id = ? AND name = ? AND status = 'done'", (entry.id, name)
        )
        return bool(rows)

    def ever_reported(self, machine: Machine, step: str) -> bool:
        """Whether in any operation on this machine this step came as far as saying what it does."""
        rows = self._database.read(
            "SELECT 1 FROM events e JOIN operations o ON o.id = e.operation_id"
            " WHERE o.machine_id = ? AND e.step = ? AND e.status IN ('progress', 'warning', 'done') LIMIT 1",
            (machine.id, step),
        )
        return bool(rows)

    def timeline(self, machine: Machine) -> list[dict[str, Any]]:
        """The operations on a machine with their steps, the oldest first."""
        operations = self._database.read("SELECT * FROM operations WHERE machine_id = ? ORDER BY id", (machine.id,))
        steps = self._database.read(
            "SELECT s.* FROM steps s JOIN operations o ON o.id = s.operation_id WHERE o.machine_id = ?"
            " ORDER BY s.begun_at",
            (machine.id,),
        )
        return [
            {
                "Operation": each["kind"],
                "Status": each["status"],
                "StartedAt": each["started_at"],
                "FinishedAt": each["finished_at"],
                "Error": each["error"] or "",
                "Steps": [
                    {
                        "Name": step["name"],
                        "Status": step["status"],
                        "BegunAt": step["begun_at"],
                        "EndedAt": step["ended_at"],
                        "Result": json.loads(step["result"] or "{}"),
                    }
                    for step in steps
                    if step["operation_id"] == each["id"]
                ],
            }
            for each in operations
        ]

    def interrupted(self) -> dict[int, str]:
        """Machines whose last operation is recorded as running by a process that is gone, and which operation."""
        rows = self._database.read(
            "SELECT * FROM operations WHERE status = 'running' AND machine_id IS NOT NULL ORDER BY id"
        )
        return {
            row["machine_id"]: row["kind"]
            for row in rows
            if Owner(row["owner_host"], row["owner_pid"], row["owner_started"]).is_dead()
        }

    def record_orphan(
        self, entry: Entry, machine: Machine, id: str, token: str, data: Mapping[str, Any], reason: str
    ) -> None:
        """Remember what could not be removed, when the machine's own record is about to go."""
        with self._database.write() as db:
            _fenced(db, entry, "heartbeat = ?", time.time())
            db.execute(
                "INSERT OR REPLACE INTO orphans (driver, kind, provider_id, machine, token, data, reason, found_at)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    machine.spec.driver,
                    str(data.get("kind", "instance")),
                    id,
                    machine.name,
                    token,
                    json.dumps(dict(data)),
                    reason,
                    time.time(),
                ),
            )

    def recorded_instance(self, machine: Machine) -> tuple[str, str, dict[str, Any]]:
        """What is recorded of a machine's instance: provider's id, token and the driver's notes."""
        rows = self._database.read("SELECT provider_id, token, data FROM instances WHERE machine_id = ?", (machine.id,))
        return rows[0]["provider_id"], rows[0]["token"], json.loads(rows[0]["data"])

    def step(self, entry: Entry, name: str, status: str, event: Event, result: Mapping[str, Any] | None = None) -> None:
        """A step's begin or end, with its event, in one transaction."""
        now = time.time()
        with self._database.write() as db:
            _fenced(db, entry, "heartbeat = ?", now)
            if status == "begun":
                db.execute(
                    "INSERT INTO steps (operation_id, name, status, begun_at) VALUES (?, ?, 'begun', ?) "
                    "ON CONFLICT DO UPDATE SET status = 'begun', begun_at = excluded.begun_at, ended_at = NULL",
                    (entry.id, name, now),
                )
            else:
                db.execute(
                    "UPDATE steps SET status = ?, ended_at = ?, result = ? WHERE operation_id = ? AND name = ?",
                    (status, now, json.dumps(dict(result or {})), entry.id, name),
                )
            _insert_event(db, entry, event)

    def event(self, entry: Entry, event: Event) -> None:
        """Something a step reports on its way."""
        with self._database.write() as db:
            _fenced(db, entry, "heartbeat = ?", time.time())
            _insert_event(db, entry, event)

    def finish(self, entry: Entry, *, state: State | None, error: str | None = None) -> None:
        """Close the operation and say in the same breath what the machine is now; None leaves the state as it is."""
        now = time.time()
        with self._database.write() as db:
            _fenced(db, entry, "status = ?", "failed" if error else "done")
            db.execute("UPDATE operations SET finished_at = ?, error = ? WHERE id = ?", (now, error, entry.id))
            db.execute("UPDATE machines SET error = ? WHERE id = ?", (error, entry.machine))
            if state is not None:
                db.execute(
                    "UPDATE machines SET state = ?, state_at = ? WHERE id = ?", (state.value, now, entry.machine)
                )

    def finish_removed(self, entry: Entry) -> None:
        """Close a remove: the machine's row goes in the same transaction, so that no state between is ever seen."""
        with self._database.write() as db:
            _fenced(db, entry, "status = ?", "done")
            db.execute("UPDATE operations SET finished_at = ? WHERE id = ?", (time.time(), entry.id))
            db.execute("DELETE FROM machines WHERE id = ?", (entry.machine,))


def _open(db: sqlite3.Connection, machine: int, name: str, kind: str, token: str) -> Entry:
    epoch = _next_epoch(db, machine, name)
    owner, now = Owner.current(), time.time()
    cursor = db.execute(
        "INSERT INTO operations (machine_id, machine, kind, token, status, epoch, owner_host, owner_pid, owner_started,"
        " heartbeat, started_at) VALUES (?, ?, ?, ?, 'running', ?, ?, ?, ?, ?, ?)",
        (machine, name, kind, token, epoch, owner.host, owner.pid, owner.started, now, now),
    )
    return Entry(id=int(cursor.lastrowid or 0), machine=machine, token=token, epoch=epoch, resumed=False)


def _take_over(db: sqlite3.Connection, last: sqlite3.Row) -> Entry:
    """The same operation, under the same token, by this process; the one before is fenced off."""
    epoch = _next_epoch(db, last["machine_id"], last["machine"])
    owner = Owner.current()
    db.execute(
        "UPDATE operations SET status = 'running', epoch = ?, owner_host = ?, owner_pid = ?, owner_started = ?,"
        " heartbeat = ?, finished_at = NULL, error = NULL WHERE id = ?",
        (epoch, owner.host, owner.pid, owner.started, time.time(), last["id"]),
    )
    return Entry(id=last["id"], machine=last["machine_id"], token=last["token"], epoch=epoch, resumed=True)


def _next_epoch(db: sqlite3.Connection, machine: int, name: str) -> int:
    rows = db.execute("UPDATE machines SET epoch = epoch + 1 WHERE id = ? RETURNING epoch", (machine,)).fetchall()
    if not rows:
        raise MachineNotFound(f'no machine "{name}" any more', machine=name, cause="another process removed it")
    return int(rows[0]["epoch"])


def _last(db: sqlite3.Connection, machine: int) -> sqlite3.Row | None:
    row: sqlite3.Row | None = db.execute(
        "SELECT * FROM operations WHERE machine_id = ? ORDER BY id DESC LIMIT 1", (machine,)
    ).fetchone()
    return row


def _refuse_when_running(last: sqlite3.Row | None, name: str) -> None:
    if last is None or last["status"] != "running":
        return
    owner = Owner(last["owner_host"], last["owner_pid"], last["owner_started"])
    if owner.is_dead():
        return
    seconds = time.time() - last["started_at"]
    raise OperationInProgress(
        f'"{name}" is in the middle of {last["kind"]}',
        machine=name,
        cause=f"{owner} began it {seconds:.0f} s ago",
        hint="wait for it, or stop that process and try again",
    )


def _fenced(db: sqlite3.Connection, entry: Entry, assignment: str, value: object) -> None:
    changed = db.execute(
        f"UPDATE operations SET {assignment} WHERE id = ? AND epoch = ?",  # noqa: S608 - assignment is ours
        (value, entry.id, entry.epoch),
    ).rowcount
    if not changed:
        raise OperationInProgress(
            "this operation was taken over by another process", hint="nothing more is done here; see: pymachine ls"
        )


def _insert_event(db: sqlite3.Connection, entry: Entry, event: Event) -> None:
    db.execute(
        "INSERT INTO events (operation_id, machine, at, step, status, text, elapsed) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (entry.id, event.machine, event.at, event.step, event.status, event.text, event.elapsed),
    )


def _differences(old: Mapping[str, Any], new: Mapping[str, Any], prefix: str = "") -> list[str]:
    found = []
    for key in sorted({*old, *new}):
        before, after = old.get(key), new.get(key)
        if isinstance(before, dict) and isinstance(after, dict):
            found += _differences(before, after, f"{prefix}{key}.")
        elif before != after:
            found.append(f"{prefix}{key}: {before!r} then, {after!r} now")
    return found
