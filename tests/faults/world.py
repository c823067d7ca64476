"""A store, a cloud and a host in one directory: all that an operation changes, to be copied and compared."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from machine.store.location import DATABASE
from machine.testing.cloud import CloudInstance, MemoryCloud
from machine.testing.memory import CLOUD_VARIABLE
from tests.faults.nursery import Ended, Nursery
from tests.faults.scripted import VARIABLE, ScriptedHost

SCRIPTED = "tests.faults.scripted:install"
# All that a store may hold when nobody is at it; the last two of SQLite stay behind a process that was killed.
_KEPT = re.compile(
    r"pymachine\.db(-wal|-shm)?|certs/ca(-key)?\.pem|logs/[\w-]+-\d+\.log"
    r"|fleets/[\w-]+\.lock"
    r"|machines/[\w-]+/((ca|cert|key|server)\.pem|id_ed25519(\.pub)?|known_hosts)"
)


class World:
    """Everything of one little world; ``prelude`` is called in every process of it."""

    def __init__(self, directory: Path, nursery: Nursery, *, prelude: str | None = SCRIPTED) -> None:
        self.directory = directory
        self.nursery = nursery
        self.prelude = prelude
        self.store = directory / "store"
        self.children = directory.with_name(f"{directory.name}-children")
        self.children.mkdir(parents=True, exist_ok=True)
        self.home.mkdir(parents=True, exist_ok=True)

    @property
    def cloud(self) -> MemoryCloud:
        return MemoryCloud(self.directory / "cloud")

    @property
    def host(self) -> ScriptedHost:
        return ScriptedHost(self.directory / "host")

    @property
    def home(self) -> Path:
        """The operator's; ``HOME/`` in a command is this."""
        return self.directory / "home"

    @property
    def environment(self) -> dict[str, str]:
        return {
            "WORLD": str(self.directory),
            "HOME": str(self.home),
            "PYMACHINE_HOME": str(self.store),
            CLOUD_VARIABLE: str(self.directory / "cloud"),
            VARIABLE: str(self.directory / "host"),
            "NURSERY": str(self.children),
        }

    def copy(self, directory: Path, nursery: Nursery | None = None) -> World:
        """The same world once more."""
        shutil.copytree(self.directory, directory)
        return World(directory, nursery or self.nursery, prelude=self.prelude)

    def remove(self) -> None:
        for directory in (self.directory, self.children):
            shutil.rmtree(directory, ignore_errors=True)

    def run(self, *commands: str, **options: Any) -> list[Ended]:
        """Run command lines, one after the other, in one child."""
        options.setdefault("prelude", self.prelude)
        return self.nursery.run(*map(self._words, commands), environment=self.environment, **options)

    def start(self, *commands: str, **options: Any) -> Any:
        """Start a child that runs command lines."""
        options.setdefault("prelude", self.prelude)
        return self.nursery.start([*map(self._words, commands)], self.environment, **options)

    def _words(self, command: str) -> list[str]:
        return command.replace("HOME/", f"{self.home}/").split()

    def ok(self, *commands: str) -> list[Ended]:
        """Run command lines that must succeed."""
        ended = self.run(*commands)
        for each in ended:
            assert each.code == 0, each
        return ended

    def rows(self, sql: str, *parameters: object) -> list[sqlite3.Row]:
        """Read the store's database."""
        with self.database() as db:
            return db.execute(sql, parameters).fetchall()

    @contextlib.contextmanager
    def database(self) -> Iterator[sqlite3.Connection]:
        """A connection of the test's own, in autocommit."""
        with contextlib.closing(sqlite3.connect(self.store / DATABASE, isolation_level=None)) as db:
            db.row_factory = sqlite3.Row
            yield db

    @property
    def begun(self) -> bool:
        """Whether there is a store with tables in it."""
        path = self.store / DATABASE
        return path.exists() and bool(self.rows("SELECT 1 FROM sqlite_master WHERE name = 'operations'"))

    def last(self) -> tuple[str, str]:
        """Kind and status of the newest operation."""
        rows = self.rows("SELECT kind, status FROM operations ORDER BY id DESC LIMIT 1") if self.begun else []
        return (rows[0]["kind"], rows[0]["status"]) if rows else ("", "")

    def names(self) -> list[str]:
        """The machines there are."""
        return [row["name"] for row in self.rows("SELECT name FROM machines")] if self.begun else []

    def files(self) -> set[str]:
        """Every file of the store."""
        found = (Path(at, name) for at, _, names in os.walk(self.store) for name in names)
        return {str(path.relative_to(self.store)) for path in found}

    def litter(self) -> set[str]:
        """Files of the store that should not be there."""
        return {name for name in self.files() if not _KEPT.fullmatch(name)}

    def unrecorded(self) -> list[CloudInstance]:
        """What is at the provider and not in the store."""
        tokens = {row["token"] for row in self.rows("SELECT token FROM instances")} if self.begun else set()
        return [each for each in self.cloud.instances() if each.token not in tokens]

    def _pinned(self, row: sqlite3.Row) -> tuple[int, bool]:
        access = json.loads(row["access"]) if row["access"] else {}
        return len(access.get("host_keys") or ()), "injected_host_key" in json.loads(row["data"] or "{}")

    def described(self) -> dict[str, Any]:
        """What has come of it all, without what is another one each time."""
        if not self.begun:
            return {}
        machines = self.rows("SELECT name, driver, state, error, engine, port, route FROM machines")
        steps = self.rows(
            "SELECT o.kind, o.status AS ended, s.name, s.status FROM steps s JOIN operations o ON o.id = s.operation_id"
            " WHERE o.machine_id IS NOT NULL AND o.id = (SELECT max(id) FROM operations) ORDER BY s.begun_at"
        )
        return {
            "machines": [tuple(row) for row in machines],
            "steps": sorted(tuple(row) for row in steps),
            "files": sorted(name for name in self.files() if name.startswith(("machines/", "certs/"))),
            "cloud": [(each.machine, each.region, each.state) for each in self.cloud.instances()],
            "images": [(each.name, each.finished) for each in self.cloud.images()],
            "agent": self.host.has_agent,
            # How many host keys are believed, and whether one of them came in user data.
            "host_keys": [self._pinned(row) for row in self.rows("SELECT access, data FROM instances")],
        }


def listed(ended: Ended) -> dict[str, dict[str, Any]]:
    """What ``ls -o json`` said, by name."""
    assert ended.code == 0, ended
    return {each["name"]: each for each in json.loads(ended.out)}
