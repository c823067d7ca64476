"""A little cloud in one SQLite file: instances that are records only, and every way a provider can let one down.

Processes share it by its directory, so what a killed process did to "the provider" is still there to be looked at.
Instances have addresses of their own in 127.64.0.0/10 at which nobody listens.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

REGIONS = ("north", "south", "moon")
_FILE = "cloud.db"
_SCHEMA = """
CREATE TABLE IF NOT EXISTS instances (
    id TEXT PRIMARY KEY, token TEXT NOT NULL UNIQUE, store TEXT NOT NULL, machine TEXT NOT NULL, region TEXT NOT NULL,
    size INTEGER NOT NULL, authorized_key TEXT NOT NULL, host_key TEXT NOT NULL, running INTEGER NOT NULL,
    address TEXT NOT NULL, ready_at REAL NOT NULL, networks TEXT NOT NULL DEFAULT '');
CREATE TABLE IF NOT EXISTS images (
    id TEXT PRIMARY KEY, token TEXT NOT NULL, store TEXT NOT NULL, machine TEXT NOT NULL, name TEXT NOT NULL,
    finished INTEGER NOT NULL, made_at REAL NOT NULL);
CREATE TABLE IF NOT EXISTS calls (number INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL, pid INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS faults (name TEXT NOT NULL, countdown INTEGER NOT NULL, kind TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
"""


class CloudError(Exception):
    """What this provider's SDK raises; ``code`` is one of unauthorized, capacity, invalid, not-found, unavailable."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudInstance:
    """One instance, as the provider describes it."""

    id: str
    token: str
    store: str  # the marks it was given
    machine: str
    region: str
    host_key: str
    state: str  # pending, running, stopped
    address: str
    size: int
    networks: tuple[str, ...]  # that were let in


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudImage:
    """An image of an instance, as the provider describes it."""

    id: str
    token: str  # the marks it was given
    store: str
    machine: str
    name: str
    finished: bool
    made_at: float  # seconds since the epoch


class MemoryCloud:
    """The provider: what a driver calls with a key, and what a test arranges without one."""

    def __init__(self, directory: Path, api_key: str | None = None) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._path = directory / _FILE
        self._api_key = api_key
        with contextlib.closing(self._connect()) as db:
            db.executescript(_SCHEMA)

    # What a driver calls.

    def run(
        self, *, token: str, store: str, machine: str, region: str, size: int, authorized_key: str, host_key: str
    ) -> CloudInstance:
        """Make an instance and start it; a token that was used before gives the instance it made then."""
        with self._call("run") as db:
            row = db.execute("SELECT * FROM instances WHERE token = ?", (token,)).fetchone()
            if row is not None:
                return _described(row)
            if region not in REGIONS:
                raise CloudError("invalid", f"no region {region}")
            limit = self._setting(db, f"capacity {region}")
            (there,) = db.execute("SELECT count(*) FROM instances WHERE region = ?", (region,)).fetchone()
            if limit is not None and there >= int(limit):
                raise CloudError("capacity", f"no capacity in {region}")
            made = f"mem-{uuid.uuid4().hex[:12]}"
            db.execute(
                "INSERT INTO instances VALUES (?, ?, ?, ?, ?, ?, ?, ?, 1, ?, ?, '')",
                (made, token, store, machine, region, size, authorized_key, host_key, *self._fresh(db)),
            )
            return _described(db.execute("SELECT * FROM instances WHERE id = ?", (made,)).fetchone())

    def describe(self, *, store: str | None = None, token: str | None = None) -> list[CloudInstance]:
        """Instances by their marks; all of them without one."""
        with self._call("describe") as db:
            rows = db.execute(
                "SELECT * FROM instances WHERE (? IS NULL OR store = ?) AND (? IS NULL OR token = ?) ORDER BY rowid",
                (store, store, token, token),
            )
            return [_described(row) for row in rows]

    def start(self, id: str) -> CloudInstance:
        """Start an instance: at a new address, unless it runs."""
        with self._call("start") as db:
            if not self._row(db, id)["running"]:
                address, ready = self._fresh(db)
                db.execute(
                    "UPDATE instances SET running = 1, address = ?, ready_at = ? WHERE id = ?", (address, ready, id)
                )
            return _described(self._row(db, id))

    def stop(self, id: str) -> None:
        """Stop an instance; it has no address then."""
        with self._call("stop") as db:
            self._row(db, id)
            db.execute("UPDATE instances SET running = 0, address = '' WHERE id = ?", (id,))

    def allow(self, id: str, networks: list[str]) -> list[str]:
        """Let networks reach an instance, beside those that do."""
        with self._call("allow") as db:
            there = set(self._row(db, id)["networks"].split())
            db.execute("UPDATE instances SET networks = ? WHERE id = ?", (" ".join(sorted(there | set(networks))), id))
            return networks

    def resize(self, id: str, size: int) -> None:
        """Give a stopped instance another size."""
        with self._call("resize") as db:
            if self._row(db, id)["running"]:
                raise CloudError("invalid", f"{id} is running")
            db.execute("UPDATE instances SET size = ? WHERE id = ?", (size, id))

    def terminate(self, id: str) -> None:
        """Remove an instance."""
        with self._call("terminate") as db:
            self._row(db, id)
            db.execute("DELETE FROM instances WHERE id = ?", (id,))

    def price(self, type: str) -> str:
        """What an hour of a type costs."""
        with self._call("price") as db:
            said = self._setting(db, f"price {type}")
            if said is None:
                raise CloudError("not-found", f"the list has no price of {type}")
            return said

    def copy(self, id: str, *, name: str) -> CloudImage:
        """Make an image of a stopped instance, with its marks; twice makes two. It is not finished."""
        with self._call("copy") as db:
            row = self._row(db, id)
            if row["running"]:
                raise CloudError("invalid", f"{id} is running")
            made = f"img-{uuid.uuid4().hex[:12]}"
            marks = (row["token"], row["store"], row["machine"])
            db.execute("INSERT INTO images VALUES (?, ?, ?, ?, ?, 0, ?)", (made, *marks, name, time.time()))
            return _image(db.execute("SELECT * FROM images WHERE id = ?", (made,)).fetchone())

    def finish(self, id: str) -> None:
        """Mark an image as finished."""
        with self._call("finish") as db:
            if not db.execute("UPDATE images SET finished = 1 WHERE id = ?", (id,)).rowcount:
                raise CloudError("not-found", f"no image {id}")

    def list_images(self) -> list[CloudImage]:
        """Every image."""
        with self._call("list-images") as db:
            return [_image(row) for row in db.execute("SELECT * FROM images ORDER BY rowid")]

    def delete_image(self, id: str) -> None:
        """Remove an image; there is none is success."""
        with self._call("delete-image") as db:
            db.execute("DELETE FROM images WHERE id = ?", (id,))

    # What a test arranges and looks at; none of it counts as a call.

    def demand_key(self, api_key: str) -> None:
        """From now on, refuse every call that is not made with this key."""
        self._set("api_key", api_key)

    def set_latency(self, seconds: float) -> None:
        """How long an instance takes until it runs."""
        self._set("latency", str(seconds))

    def set_capacity(self, region: str, instances: int) -> None:
        """How many instances a region has room for."""
        self._set(f"capacity {region}", str(instances))

    def set_price(self, type: str, hourly: str) -> None:
        """What an hour of a type costs from now on."""
        self._set(f"price {type}", hourly)

    def fail(self, name: str, *, nth: int = 1, kind: str = "error") -> None:
        """Let one call go wrong.

        Args:
            name: run, describe, start, stop, price or terminate; ``*``: any.
            nth: which one, counted from now.
            kind: ``error`` (nothing happens), ``lost`` (it happens and the answer does not arrive), ``kill-before`` or
                ``kill-after`` (the calling process dies by SIGKILL).
        """
        with self._transaction() as db:
            db.execute("INSERT INTO faults VALUES (?, ?, ?)", (name, nth, kind))

    def lose(self, id: str) -> None:
        """Remove an instance behind everybody's back."""
        with self._transaction() as db:
            db.execute("DELETE FROM instances WHERE id = ?", (id,))

    def calls(self) -> list[str]:
        """The names of all calls so far, also of those that failed."""
        with self._transaction() as db:
            return [row["name"] for row in db.execute("SELECT name FROM calls ORDER BY number")]

    def instances(self) -> list[CloudInstance]:
        """What there is."""
        with self._transaction() as db:
            return [_described(row) for row in db.execute("SELECT * FROM instances ORDER BY rowid")]

    def images(self) -> list[CloudImage]:
        """What there is of images."""
        with self._transaction() as db:
            return [_image(row) for row in db.execute("SELECT * FROM images ORDER BY rowid")]

    @contextlib.contextmanager
    def _call(self, name: str) -> Iterator[sqlite3.Connection]:
        """One request: counted, allowed or not, done in one transaction, and answered or not."""
        with self._transaction() as db:
            db.execute("INSERT INTO calls (name, pid) VALUES (?, ?)", (name, os.getpid()))
            wanted = self._setting(db, "api_key")
            db.execute("UPDATE faults SET countdown = countdown - 1 WHERE name IN (?, '*')", (name,))
            fault = db.execute("DELETE FROM faults WHERE countdown <= 0 RETURNING kind").fetchall()
        kinds = [row["kind"] for row in fault]
        if wanted is not None and wanted != self._api_key:
            raise CloudError("unauthorized", "the API key is not accepted")
        if "error" in kinds:
            raise CloudError("unavailable", f"{name}: try again later")
        _die(kinds, "kill-before")
        with self._transaction() as db:
            yield db
        _die(kinds, "kill-after")
        if "lost" in kinds:
            raise CloudError("unavailable", f"{name}: no answer")

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with contextlib.closing(self._connect()) as db:
            db.execute("BEGIN IMMEDIATE")
            try:
                yield db
            except BaseException:
                db.execute("ROLLBACK")
                raise
            db.execute("COMMIT")

    def _connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(self._path, timeout=30, isolation_level=None)
        db.row_factory = sqlite3.Row
        db.execute("PRAGMA synchronous = OFF")  # it survives the process, and need not survive the computer
        return db

    def _row(self, db: sqlite3.Connection, id: str) -> sqlite3.Row:
        row: sqlite3.Row | None = db.execute("SELECT * FROM instances WHERE id = ?", (id,)).fetchone()
        if row is None:
            raise CloudError("not-found", f"no instance {id}")
        return row

    def _fresh(self, db: sqlite3.Connection) -> tuple[str, float]:
        """An address that nobody had before, and when the instance that has it now will run."""
        number = int(self._setting(db, "addresses") or 0) + 1
        db.execute("INSERT OR REPLACE INTO settings VALUES ('addresses', ?)", (str(number),))
        address = f"127.{64 + (number >> 16) % 64}.{number >> 8 & 255}.{number & 255}"
        return address, time.time() + float(self._setting(db, "latency") or 0)

    def _setting(self, db: sqlite3.Connection, name: str) -> str | None:
        row = db.execute("SELECT value FROM settings WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row["value"])

    def _set(self, name: str, value: str) -> None:
        with self._transaction() as db:
            db.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (name, value))


def _described(row: sqlite3.Row) -> CloudInstance:
    state = "stopped" if not row["running"] else "running" if row["ready_at"] <= time.time() else "pending"
    kept = {name: row[name] for name in ("id", "token", "store", "machine", "region", "host_key", "address", "size")}
    return CloudInstance(state=state, networks=tuple(row["networks"].split()), **kept)


def _image(row: sqlite3.Row) -> CloudImage:
    return CloudImage(**{**dict(row), "finished": bool(row["finished"])})


def _die(kinds: list[str], kind: str) -> None:
    if kind in kinds:
        os.kill(os.getpid(), signal.SIGKILL)
