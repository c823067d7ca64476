"""What a child does before its command: a shorter wait, another file system."""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import json
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

from tests.faults import scripted

_NEW_NAMESPACE = 0x00020000  # CLONE_NEWNS


def quick_heartbeat() -> None:
    """Hear of a cancellation at once, not within five seconds."""
    from machine.store.heartbeat import Heartbeats

    scripted.install()
    defaults = Heartbeats.__init__.__kwdefaults__
    assert set(defaults) == {"seconds"}
    defaults["seconds"] = 0.02


def short_wait_for_a_cancelled_owner() -> None:
    """Do not wait for three heartbeats."""
    from machine.operations import remove

    scripted.install()
    assert remove._CANCEL_SECONDS > 0
    remove._CANCEL_SECONDS = 0.1


def read_only_store() -> None:
    """A store that cannot be written, whoever asks: root may write where the mode forbids it."""
    scripted.install()
    if ctypes.CDLL(None, use_errno=True).unshare(_NEW_NAMESPACE):
        raise OSError(ctypes.get_errno(), "unshare")
    store = os.environ["PYMACHINE_HOME"]
    for line in (["--make-rprivate", "/"], ["--bind", store, store], ["-o", "remount,bind,ro", store]):
        subprocess.run(["mount", *line], check=True)


COMMITS = "commits"  # below the world's directory
_TABLES = ("meta", "machines", "instances", "operations", "steps", "events", "orphans")


def rows_of(db: sqlite3.Connection) -> dict[str, list[list[object]]]:
    """Every row of every table; nothing before there are tables."""
    if not db.execute("SELECT 1 FROM sqlite_master WHERE name = 'meta'").fetchall():
        return {}
    return {table: [list(row) for row in db.execute(f"SELECT * FROM {table} ORDER BY 1, 2")] for table in _TABLES}


def copy_the_store_at_every_commit() -> None:
    """Leave behind, after each transaction, what is on the disk then, and what is recorded then."""
    from machine.store import database

    scripted.install()
    original = database.Database.write
    numbers = itertools.count()

    @contextlib.contextmanager
    def write(self: database.Database) -> Iterator[sqlite3.Connection]:
        with original(self) as db:
            yield db
        target = Path(os.environ["WORLD"], COMMITS, str(next(numbers)))
        shutil.copytree(os.environ["PYMACHINE_HOME"], target)
        (target / "rows.json").write_text(json.dumps(rows_of(db)))

    database.Database.write = write  # type: ignore[method-assign]
