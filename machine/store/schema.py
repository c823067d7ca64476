"""The tables, as an ordered list of migrations; a migration that has shipped is never edited, only followed.

``PRAGMA user_version`` holds how many have been applied. Fields that ``ls`` shows are columns (parsing each row's
JSON doubles the time for 10,000 machines); the rest of a machine is JSON. No column ever holds a secret.
"""

from __future__ import annotations

from collections.abc import Callable

TYPE_CHECKING = False  # the hot path reads VERSION here, and `typing` and `sqlite3` would be a fifth of its time
if TYPE_CHECKING:
    import sqlite3

Migration = Callable[["sqlite3.Connection"], None]


def _first_tables(db: sqlite3.Connection) -> None:
    for statement in (
        "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT",
        """CREATE TABLE machines (
            id INTEGER PRIMARY KEY,
            name TEXT NOT NULL,
            name_key TEXT NOT NULL UNIQUE,      -- the name, case folded: two names that differ in case are one
            driver TEXT NOT NULL,
            state TEXT NOT NULL,
            state_at REAL NOT NULL,             -- when that state was observed or recorded
            address TEXT,                       -- IPv6 without brackets
            url TEXT,
            engine TEXT,                        -- "docker 20.10.24", for ls
            error TEXT,                         -- one line: why the last operation failed, for ls
            spec TEXT NOT NULL,                 -- JSON
            facts TEXT NOT NULL DEFAULT '{}',   -- JSON: what the host said of itself
            epoch INTEGER NOT NULL DEFAULT 0,   -- fences the operations of this machine
            created_at REAL NOT NULL
        ) STRICT""",
        """CREATE TABLE instances (
            machine_id INTEGER PRIMARY KEY REFERENCES machines(id) ON DELETE CASCADE,
            driver TEXT NOT NULL,
            provider_id TEXT NOT NULL,
            token TEXT NOT NULL,
            access TEXT,                        -- JSON; NULL while the driver has not returned yet
            data TEXT NOT NULL DEFAULT '{}'     -- JSON: the driver's own notes
        ) STRICT""",
        """CREATE TABLE operations (
            id INTEGER PRIMARY KEY,
            machine_id INTEGER REFERENCES machines(id) ON DELETE SET NULL,
            machine TEXT NOT NULL,              -- its name, which outlives the row
            kind TEXT NOT NULL,                 -- create, remove, …
            token TEXT NOT NULL UNIQUE,         -- the idempotency key handed to the provider
            request TEXT,                       -- JSON: what is asked of the provider, resolved
            status TEXT NOT NULL,               -- running, done, failed
            epoch INTEGER NOT NULL,
            owner_host TEXT NOT NULL,
            owner_pid INTEGER NOT NULL,
            owner_started TEXT NOT NULL,        -- tells a recycled pid from the owner
            heartbeat REAL NOT NULL,
            started_at REAL NOT NULL,
            finished_at REAL,
            error TEXT
        ) STRICT""",
        "CREATE INDEX operations_by_machine ON operations(machine_id, id)",
        """CREATE TABLE steps (
            operation_id INTEGER NOT NULL REFERENCES operations(id) ON DELETE CASCADE,
            name TEXT NOT NULL,
            status TEXT NOT NULL,               -- begun, done, failed
            begun_at REAL NOT NULL,
            ended_at REAL,
            result TEXT,                        -- JSON: what it learnt
            PRIMARY KEY (operation_id, name)
        ) STRICT""",
        """CREATE TABLE events (
            id INTEGER PRIMARY KEY,
            operation_id INTEGER NOT NULL REFERENCES operations(id) ON DELETE CASCADE,
            machine TEXT NOT NULL,
            at REAL NOT NULL,
            step TEXT NOT NULL,
            status TEXT NOT NULL,
            text TEXT NOT NULL,
            elapsed REAL NOT NULL
        ) STRICT""",
        "CREATE INDEX events_by_machine ON events(machine, id)",
        """CREATE TABLE orphans (
            id INTEGER PRIMARY KEY,
            driver TEXT NOT NULL,
            kind TEXT NOT NULL,
            provider_id TEXT NOT NULL,
            machine TEXT NOT NULL,
            token TEXT NOT NULL,
            data TEXT NOT NULL DEFAULT '{}',    -- JSON
            reason TEXT NOT NULL,
            found_at REAL NOT NULL,
            UNIQUE (driver, kind, provider_id)
        ) STRICT""",
    ):
        db.execute(statement)


def _cancelling_and_drivers_of_operations(db: sqlite3.Connection) -> None:
    db.execute("ALTER TABLE operations ADD COLUMN cancel_requested INTEGER NOT NULL DEFAULT 0")
    # Outlives the machine's row: gc asks every driver that ever made something.
    db.execute("ALTER TABLE operations ADD COLUMN driver TEXT NOT NULL DEFAULT ''")
    db.execute(
        "UPDATE operations SET driver = (SELECT driver FROM machines WHERE machines.id = operations.machine_id)"
        " WHERE machine_id IS NOT NULL"
    )


def _route_to_the_endpoint(db: sqlite3.Connection) -> None:
    # "direct", or "ssh": only through a tunnel, and url is that of its end on the operator's computer.
    db.execute("ALTER TABLE machines ADD COLUMN route TEXT NOT NULL DEFAULT 'direct'")
    db.execute("ALTER TABLE machines ADD COLUMN port INTEGER")  # of the endpoint, on the host


def _accounts_and_notes(db: sqlite3.Connection) -> None:
    # JSON: whom the driver asks (profile, region, …), never a secret. Operations outlive machines: gc asks them all.
    for table in ("machines", "operations", "orphans"):
        db.execute(f"ALTER TABLE {table} ADD COLUMN account TEXT NOT NULL DEFAULT '{{}}'")
    db.execute(
        """CREATE TABLE notes (
            key TEXT PRIMARY KEY,
            value TEXT NOT NULL,                -- JSON: what a driver has learnt about its provider
            at REAL NOT NULL
        ) STRICT"""
    )


def _what_fleets_did(db: sqlite3.Connection) -> None:
    db.execute("ALTER TABLE machines ADD COLUMN applied TEXT NOT NULL DEFAULT '{}'")


MIGRATIONS: tuple[Migration, ...] = (
    _first_tables,
    _cancelling_and_drivers_of_operations,
    _route_to_the_endpoint,
    _accounts_and_notes,
    _what_fleets_did,
)
VERSION = len(MIGRATIONS)
