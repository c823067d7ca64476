"""One SQLite file: opened, migrated, and written in one way only.

WAL, so that readers never wait; ``BEGIN IMMEDIATE`` for every write (a read that upgrades is refused at once, and
read-then-write in autocommit loses updates silently); ``synchronous=FULL``, for the journal is what ``kill -9``
and a power cut are survived with.
"""

from __future__ import annotations

import os
import random
import sqlite3
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from machine.errors import StoreError, StoreTooNew
from machine.store.location import DATABASE
from machine.store.schema import MIGRATIONS, VERSION

_BUSY_SECONDS = 60.0


class Database:
    """A connection to a store's database; one for each thread that writes.

    Raises:
        StoreTooNew: a newer pymachine wrote it.
        StoreError: it cannot be opened, or is damaged.
    """

    def __init__(self, directory: str) -> None:
        self.path = os.path.join(directory, DATABASE)
        self.read_only = False
        try:
            make_private_directory(directory)
            self._db = self._open()
            self._migrate()
            self.store_id = self._store_id()
        except sqlite3.OperationalError as error:
            raise self._explained(error) from error
        except sqlite3.DatabaseError as error:
            raise StoreError(
                "the store is damaged",
                cause=f"{self.path}: {error}",
                hint=f"newest backup: ls -t {self.path}.backup-*; put it in the place of {DATABASE} and try again",
            ) from error

    def _open(self) -> sqlite3.Connection:
        needed = self.path if os.path.exists(self.path) else os.path.dirname(self.path)
        self.read_only = not (os.access(needed, os.W_OK) and os.access(os.path.dirname(self.path), os.W_OK))
        if not self.read_only:
            # SQLite would create it with the umask's mode; names and addresses are nobody else's business.
            os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
        uri = f"file:{_quoted(self.path)}" + ("?immutable=1" if self.read_only else "")
        db = sqlite3.connect(uri, uri=True, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        db.row_factory = sqlite3.Row
        if not self.read_only:
            # The switch to WAL needs the file alone for a moment, and the busy handler is not asked about it.
            _retry_busy(lambda: db.execute("PRAGMA journal_mode=WAL"))
            db.execute("PRAGMA synchronous=FULL")
            db.execute("PRAGMA foreign_keys=ON")
        return db

    def _migrate(self) -> None:
        found = self._db.execute("PRAGMA user_version").fetchone()[0]
        if found > VERSION:
            raise StoreTooNew(
                "this store was written by a newer pymachine",
                cause=f"{self.path} has schema {found}, this pymachine knows {VERSION}",
                hint="upgrade pymachine, or choose another store with --storage-path",
            )
        if found == VERSION:
            return
        if self.read_only:
            raise StoreError(
                "the store has to be migrated and is read-only",
                cause=f"{self.path} has schema {found}, this pymachine writes {VERSION}",
                hint="run any pymachine command once where the store can be written",
            )
        if found:
            self._backup(found)
        with self.write() as db:
            found = db.execute("PRAGMA user_version").fetchone()[0]  # another process may have been first
            for number, migrate in enumerate(MIGRATIONS[found:], start=found + 1):
                migrate(db)
                db.execute(f"PRAGMA user_version={number}")
            db.execute("INSERT OR IGNORE INTO meta VALUES ('store', ?)", (uuid.uuid4().hex[:16],))

    def _backup(self, version: int) -> None:
        target = f"{self.path}.backup-{version}"
        temporary = f"{target}.{os.getpid()}"
        os.close(os.open(temporary, os.O_CREAT | os.O_WRONLY, 0o600))
        copy = sqlite3.connect(temporary)
        try:
            self._db.backup(copy)
        finally:
            copy.close()
        os.replace(temporary, target)

    def _store_id(self) -> str:
        return str(self._db.execute("SELECT value FROM meta WHERE key = 'store'").fetchone()[0])

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """A write transaction: the lock is taken first, so what is read inside is what is changed.

        Raises:
            StoreError: the store is read-only, full, or locked for a minute.
        """
        if self.read_only:
            raise StoreError(f"the store {os.path.dirname(self.path)} is read-only")
        try:
            self._db.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            raise self._explained(error) from error
        try:
            yield self._db
            self._db.execute("COMMIT")
        except BaseException as error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            if isinstance(error, sqlite3.OperationalError):
                raise self._explained(error) from error
            raise

    def read(self, sql: str, parameters: tuple[object, ...] = ()) -> list[sqlite3.Row]:
        """Rows of one SELECT; never waits for a writer."""
        try:
            return self._db.execute(sql, parameters).fetchall()
        except sqlite3.OperationalError as error:
            raise self._explained(error) from error

    def close(self) -> None:
        """Give the connection back; the last one folds the write-ahead log into the file."""
        self._db.close()

    def _explained(self, error: sqlite3.Error) -> StoreError:
        directory = os.path.dirname(self.path)
        return StoreError(
            "the store cannot be used",
            cause=f"{self.path}: {error}",
            hint=f"look at the space left and the permissions: df -h {directory}; ls -ld {directory}",
        )


def make_private_directory(path: str) -> None:
    """Make a directory, and those above it, that only its owner can enter."""
    try:
        os.makedirs(path, mode=0o700, exist_ok=True)
    except OSError as error:
        raise StoreError(
            f"cannot make the directory {path}",
            cause=str(error.strerror),
            hint="choose another place with --storage-path or PYMACHINE_HOME",
        ) from error


def _quoted(path: str) -> str:
    return path.replace("%", "%25").replace("?", "%3f").replace("#", "%23")


def _retry_busy(attempt: Callable[[], object]) -> None:
    end = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            attempt()
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > end:
                raise
            time.sleep(random.uniform(0.002, 0.02))  # noqa: S311 - spreads processes, guards nothing
