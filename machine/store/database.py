"""One SQLite file: opened, migrated, and written in one way only.

WAL, so that readers never wait; ``BEGIN IMMEDIATE`` for every write (a read that upgrades is refused at once, and
read-then-write in autocommit loses updates silently); ``synchronous=FULL``, for the journal is what ``kill -9``
and a power cut are survived with.
"""

from __future__ import annotations

import contextlib
import glob
import os
import random
import sqlite3
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from machine.errors import StoreError, StoreTooNew
from machine.store.location import DATABASE, MACHINES
from machine.store.schema import MIGRATIONS, VERSION

_BUSY_SECONDS = 60.0
_NO_ROOM = 64 * 1024  # bytes: what SQLite makes at once for its shared memory, and a page or two of the log


class Database:
    """A store's database, for any number of threads.

    Args:
        beside: there may be machines already that are not ours: their files are being taken over.

    Raises:
        StoreTooNew: a newer pymachine wrote it.
        StoreError: it cannot be opened, or is damaged.
    """

    def __init__(self, directory: str, *, beside: bool = False) -> None:
        self._beside = beside
        self.path = os.path.join(directory, DATABASE)
        self.read_only = False
        self._mode = "mode=rw"
        self._idle: list[sqlite3.Connection] = []  # as a stack
        self._generation = 0  # how often it was closed
        self._writing = threading.Lock()  # this process's own turns: SQLite has whoever waits sleep and ask again
        make_private_directory(directory)
        with self._explaining():
            self._find_out_how_to_open()
        try:
            with self._explaining():
                self._prepare()
                self.store_id = self._store_id()
        except BaseException:
            self.close()
            raise

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        """A connection that nobody else uses meanwhile: the one that was given back last, or a new one.

        It knows the statements already, and most of the pages. A thread of its own would have to learn them first.
        """
        generation = self._generation
        try:
            db = self._idle.pop()
        except IndexError:
            db = self._connect(self._mode)
            if not self.read_only:
                db.execute("PRAGMA synchronous=FULL")
                db.execute("PRAGMA foreign_keys=ON")
        try:
            yield db
        finally:
            if db.in_transaction:
                db.close()  # a Ctrl-C came between its begin and its end, or it could not be rolled back
            else:
                self._idle.append(db)
            if generation != self._generation:
                self._close_idle()  # the store was closed meanwhile

    def _find_out_how_to_open(self) -> None:
        needed = self.path if os.path.exists(self.path) else os.path.dirname(self.path)
        self.read_only = not (os.access(needed, os.W_OK) and os.access(os.path.dirname(self.path), os.W_OK))
        if self.read_only:
            self._mode = self._read_only_mode()
        else:
            _create_private_file(self.path)

    def _read_only_mode(self) -> str:
        """As a reader of the write-ahead log, where there is one; plain reading of a file without one fails."""
        if not os.path.exists(self.path):
            raise StoreError(
                f"there is no store in {os.path.dirname(self.path)}, and none can be made there",
                cause="the directory is read-only",
                hint="choose another place with --storage-path or PYMACHINE_HOME",
            )
        db = self._connect("mode=ro")
        try:
            db.execute("PRAGMA user_version")
        except sqlite3.OperationalError:
            return "immutable=1"
        finally:
            db.close()
        return "mode=ro"

    def _connect(self, mode: str) -> sqlite3.Connection:
        uri = f"file:{_quoted(self.path)}?{mode}"
        db = sqlite3.connect(uri, uri=True, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False)
        db.row_factory = sqlite3.Row
        return db

    def _prepare(self) -> None:
        """Refuse a newer store before anything touches it; then set the connection up and migrate."""
        found = self._version()
        if found > VERSION:
            raise StoreTooNew(
                "this store was written by a newer pymachine",
                cause=f"{self.path} has schema {found}, this pymachine knows {VERSION}",
                hint="upgrade pymachine, or choose another store with --storage-path",
            )
        if not self.read_only:
            # The switch to WAL needs the file alone for a moment, and the busy handler is not asked about it.
            with self._connection() as db:
                _retry_busy(lambda: db.execute("PRAGMA journal_mode=WAL"))
        if found != VERSION:
            self._migrate(found)

    def _migrate(self, found: int) -> None:
        if self.read_only:
            raise StoreError(
                "the store has to be migrated and is read-only",
                cause=f"{self.path} has schema {found}, this pymachine writes {VERSION}",
                hint="run any pymachine command once where the store can be written",
            )
        with self.write() as db:
            found = self._version()  # another process may have been first
            if found == 0 and not self._beside:
                self._refuse_where_machines_are()
            if 0 < found < VERSION:
                self._backup(found)  # under the lock: nobody migrates, or writes, between this and what follows
            for number, migrate in enumerate(MIGRATIONS[found:], start=found + 1):
                migrate(db)
                db.execute(f"PRAGMA user_version={number}")
            db.execute("INSERT OR IGNORE INTO meta VALUES ('store', ?)", (uuid.uuid4().hex[:16],))

    def _refuse_where_machines_are(self) -> None:
        """A new database would have another store's id: nobody would find what the lost one's machines are."""
        machines = os.path.join(os.path.dirname(self.path), MACHINES)
        if os.path.isdir(machines) and os.listdir(machines):
            raise StoreError(
                "the store has lost its database",
                cause=f"{self.path} is missing or empty, and there are machines in {machines}",
                hint=f"put {DATABASE} back from a backup, or choose another place with --storage-path",
            )

    def _version(self) -> int:
        with self._connection() as db:
            return int(db.execute("PRAGMA user_version").fetchone()[0])

    def _backup(self, version: int) -> None:
        target = f"{self.path}.backup-{version}"
        temporary = f"{target}.{os.getpid()}"
        _create_private_file(temporary)
        # SQLite copies nothing from a connection that writes; another one sees what was there before.
        source, copy = self._connect("mode=ro"), sqlite3.connect(temporary)
        try:
            source.backup(copy)
        finally:
            source.close()
            copy.close()
        os.replace(temporary, target)

    def _store_id(self) -> str:
        with self._connection() as db:
            return str(db.execute("SELECT value FROM meta WHERE key = 'store'").fetchone()[0])

    @contextmanager
    def write(self, *, patience: float = _BUSY_SECONDS) -> Iterator[sqlite3.Connection]:
        """A write transaction: the lock is taken first, so what is read inside is what is changed.

        Args:
            patience: seconds to wait for the lock.

        Raises:
            StoreError: the store is read-only, full, or locked for longer than that.
        """
        if self.read_only:
            raise StoreError(f"the store {os.path.dirname(self.path)} is read-only")
        with self._explaining(), self._turn(patience), self._connection() as db:
            _begin(db, patience)
            try:
                yield db
                db.execute("COMMIT")
            except BaseException:
                if db.in_transaction:
                    db.execute("ROLLBACK")
                raise

    @contextmanager
    def _turn(self, patience: float) -> Iterator[None]:
        if not self._writing.acquire(timeout=patience):
            raise sqlite3.OperationalError("database is locked")
        try:
            yield
        finally:
            self._writing.release()

    def read(self, sql: str, parameters: tuple[object, ...] = ()) -> list[sqlite3.Row]:
        """Rows of one SELECT; never waits for a writer."""
        with self._explaining(), self._connection() as db:
            return db.execute(sql, parameters).fetchall()

    def close(self) -> None:
        """Give all connections back; the last one folds the write-ahead log into the file.

        One that another thread is using is closed when it is done: under its hands, SQLite takes the process along.
        """
        self._generation += 1
        self._close_idle()

    def _close_idle(self) -> None:
        with contextlib.suppress(IndexError):  # another thread may take the last one
            while True:
                self._idle.pop().close()

    @contextmanager
    def _explaining(self) -> Iterator[None]:
        """SQLite's errors in the user's words; what is wrong with a statement of ours stays as it is."""
        try:
            yield
        except (sqlite3.OperationalError, OSError) as error:
            directory = os.path.dirname(self.path)
            raise StoreError(
                "the store cannot be used",
                cause=f"{self.path}: {self._reason(error)}",
                hint=f"look at the space left and the permissions: df -h {directory}; ls -ld {directory}",
            ) from error
        except sqlite3.DatabaseError as error:
            if type(error) is not sqlite3.DatabaseError:
                raise
            backups = sorted(glob.glob(f"{glob.escape(self.path)}.backup-*"), key=os.path.getmtime)
            raise StoreError(
                "the store is damaged",
                cause=f"{self.path}: {error}",
                hint=f"put the newest backup in its place: {backups[-1]}"
                if backups
                else f"put {DATABASE} back from a backup of yours; pymachine has made none here",
            ) from error

    def _reason(self, error: Exception) -> str:
        """What SQLite or the system said; SQLite has "disk I/O error" for several kinds of full disk."""
        said = (error.strerror if isinstance(error, OSError) else None) or str(error)
        with contextlib.suppress(OSError, AttributeError):  # no such call on Windows
            place = os.statvfs(os.path.dirname(self.path))
            if "full" not in said and place.f_bavail * place.f_frsize < _NO_ROOM:
                said += " (no space is left on the disk)"
        return said


def _begin(db: sqlite3.Connection, patience: float) -> None:
    if patience == _BUSY_SECONDS:
        db.execute("BEGIN IMMEDIATE")
        return
    db.execute(f"PRAGMA busy_timeout={int(patience * 1000)}")
    try:
        db.execute("BEGIN IMMEDIATE")
    finally:
        db.execute(f"PRAGMA busy_timeout={int(_BUSY_SECONDS * 1000)}")


def make_private_directory(path: str) -> None:
    """Make a directory, and those above it that are missing, that only its owner can enter."""
    try:
        _make_missing(os.path.abspath(path))
    except OSError as error:
        raise StoreError(
            f"cannot make the directory {path}",
            cause=str(error.strerror),
            hint="choose another place with --storage-path or PYMACHINE_HOME",
        ) from error


def _make_missing(path: str) -> None:
    if os.path.isdir(path):
        return
    _make_missing(os.path.dirname(path))
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        if not os.path.isdir(path):
            raise
    else:
        if os.stat(path).st_mode & 0o777 != 0o700:
            os.chmod(path, 0o700)  # the umask has taken something away
        with contextlib.suppress(OSError):  # one that may not be read
            sync_directory(os.path.dirname(path))  # or a power cut takes it away, with the keys in it


def sync_directory(path: str) -> None:
    """Let the names in a directory survive a power cut."""
    if os.name == "nt":  # Windows opens no directory, and needs no such call
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _create_private_file(path: str) -> None:
    """SQLite would create it with the umask's mode; names and addresses are nobody else's business."""
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600)
    except FileExistsError:
        return
    try:
        os.chmod(path, 0o600)  # the umask may have taken something away
    finally:
        os.close(descriptor)


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
