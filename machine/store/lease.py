"""One operation per machine at a time: a lease with an owner and a heartbeat, fenced by an epoch.

A process that is gone from this computer is known at once. One that sleeps, is stopped, or runs on another computer is
known by its heartbeat: when that is `LEASE_SECONDS` old, the operation may be taken over. Taking over raises the epoch,
and every write of an operation asks for its own epoch: whoever was taken over changes nothing when it wakes up.

Functions over a connection: the caller holds the write transaction.
"""

from __future__ import annotations

import sqlite3
import time
from dataclasses import dataclass

from machine.errors import MachineNotFound, OperationInProgress
from machine.store.owner import Owner

LEASE_SECONDS = 30.0
HEARTBEAT_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A running operation as this process holds it."""

    id: int
    machine: int
    token: str
    epoch: int
    resumed: bool  # it was begun before, by a process that is gone or an attempt that failed
    taken_from: str = ""  # whose lease had run out, in words; empty: nobody's


def open_operation(db: sqlite3.Connection, machine: int, name: str, kind: str, driver: str, token: str) -> Entry:
    """A new operation of this process."""
    epoch = _next_epoch(db, machine, name)
    owner, now = Owner.current(), time.time()
    cursor = db.execute(
        "INSERT INTO operations (machine_id, machine, kind, driver, token, status, epoch, owner_host, owner_pid,"
        " owner_started, heartbeat, started_at) VALUES (?, ?, ?, ?, ?, 'running', ?, ?, ?, ?, ?, ?)",
        (machine, name, kind, driver, token, epoch, owner.host, owner.pid, owner.started, now, now),
    )
    return Entry(id=int(cursor.lastrowid or 0), machine=machine, token=token, epoch=epoch, resumed=False)


def take_over(db: sqlite3.Connection, last: sqlite3.Row) -> Entry:
    """The same operation, under the same token, by this process; the one before is fenced off."""
    epoch = _next_epoch(db, last["machine_id"], last["machine"])
    owner = Owner.current()
    db.execute(
        "UPDATE operations SET status = 'running', epoch = ?, owner_host = ?, owner_pid = ?, owner_started = ?,"
        " heartbeat = ?, finished_at = NULL, error = NULL, cancel_requested = 0 WHERE id = ?",
        (epoch, owner.host, owner.pid, owner.started, time.time(), last["id"]),
    )
    return Entry(
        id=last["id"],
        machine=last["machine_id"],
        token=last["token"],
        epoch=epoch,
        resumed=True,
        taken_from=_silence(last),
    )


def close_abandoned(db: sqlite3.Connection, last: sqlite3.Row) -> str:
    """Fence off an operation that its owner left running; returns whose lease ran out, in words."""
    db.execute(
        "UPDATE operations SET status = 'failed', error = 'interrupted', epoch = epoch + 1 WHERE id = ?", (last["id"],)
    )
    return _silence(last)


def last_operation(db: sqlite3.Connection, machine: int) -> sqlite3.Row | None:
    """The newest operation on a machine."""
    row: sqlite3.Row | None = db.execute(
        "SELECT * FROM operations WHERE machine_id = ? ORDER BY id DESC LIMIT 1", (machine,)
    ).fetchone()
    return row


def is_held(operation: sqlite3.Row | None) -> bool:
    """Whether an operation is running and its owner is there."""
    return operation is not None and operation["status"] == "running" and not is_abandoned(operation)


def is_abandoned(operation: sqlite3.Row) -> bool:
    """Whether the owner of a running operation is gone, or has been silent for so long that it may be replaced."""
    return _owner(operation).is_dead() or time.time() - operation["heartbeat"] > LEASE_SECONDS


def refuse_when_held(operation: sqlite3.Row | None, name: str) -> None:
    """Raise `OperationInProgress`, naming the owner, when another process is at it."""
    if operation is None or not is_held(operation):
        return
    seconds = time.time() - operation["started_at"]
    raise OperationInProgress(
        f'"{name}" is in the middle of {operation["kind"]}',
        machine=name,
        cause=f"{_owner(operation)} began it {seconds:.0f} s ago",
        hint=f"wait for it, or stop that process and try again; to cancel it and clean up: pymachine rm -f {name}",
    )


def fenced(db: sqlite3.Connection, entry: Entry, assignment: str, value: object) -> None:
    """Change our operation's row, and prove with it that nobody has taken it over.

    Raises:
        OperationInProgress: somebody has; nothing was changed.
    """
    changed = db.execute(
        f"UPDATE operations SET {assignment} WHERE id = ? AND epoch = ?",  # noqa: S608 - assignment is ours
        (value, entry.id, entry.epoch),
    ).rowcount
    if not changed:
        raise taken_over()


def taken_over() -> OperationInProgress:
    """What a process is told whose operation is another's now."""
    return OperationInProgress(
        "this operation was taken over by another process", hint="nothing more is done here; see: pymachine ls"
    )


def _owner(operation: sqlite3.Row) -> Owner:
    return Owner(operation["owner_host"], operation["owner_pid"], operation["owner_started"])


def _silence(operation: sqlite3.Row) -> str:
    """Whose lease ran out although it may still live; empty where it is known to be gone, or had ended itself."""
    owner = _owner(operation)
    if operation["status"] != "running" or owner.is_dead():
        return ""
    return f"{owner}, silent for {time.time() - operation['heartbeat']:.0f} s"


def _next_epoch(db: sqlite3.Connection, machine: int, name: str) -> int:
    rows = db.execute("UPDATE machines SET epoch = epoch + 1 WHERE id = ? RETURNING epoch", (machine,)).fetchall()
    if not rows:
        raise MachineNotFound(f'no machine "{name}" any more', machine=name, cause="another process removed it")
    return int(rows[0]["epoch"])
