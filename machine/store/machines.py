"""Rows of machines and instances, to and from the model."""

from __future__ import annotations

import dataclasses
import difflib
import json
import sqlite3
import time
from collections.abc import Mapping
from typing import Any

from machine.errors import MachineNotFound
from machine.model import Access, Endpoint, EngineSpec, Instance, Machine, Spec, State
from machine.store.database import Database

_SELECT = """SELECT m.*, i.provider_id, i.access, i.data AS instance_data
    FROM machines m LEFT JOIN instances i ON i.machine_id = m.id"""
_LOOKING_SECONDS = 0.5


class Machines:
    """The machines of a store: read, and changed in place."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, name: str) -> Machine:
        """The machine of this name, ignoring case.

        Raises:
            MachineNotFound: there is none; close matches are named.
        """
        rows = self._database.read(f"{_SELECT} WHERE m.name_key = ?", (name.casefold(),))
        if not rows:
            close = difflib.get_close_matches(name, self.names(), n=2)
            hint = f"did you mean {' or '.join(close)}?" if close else "see them all: pymachine ls"
            raise MachineNotFound(f'no machine "{name}"', machine=name, hint=hint)
        return _machine(rows[0])

    def find(self, name: str) -> Machine | None:
        """The machine of this name, ignoring case, or None."""
        rows = self._database.read(f"{_SELECT} WHERE m.name_key = ?", (name.casefold(),))
        return _machine(rows[0]) if rows else None

    def all(self) -> list[Machine]:
        """Every machine, in the order of their names."""
        return [_machine(row) for row in self._database.read(f"{_SELECT} ORDER BY m.name_key")]

    def names(self) -> list[str]:
        """The names alone."""
        return [row["name"] for row in self._database.read("SELECT name FROM machines ORDER BY name")]

    def record_observed(self, *seen: tuple[Machine, State], why: Mapping[int, str] | None = None) -> None:
        """Record states that were seen, but those that an operation has recorded since the machine was read.

        Args:
            why: what the provider said of one that is over, by the machine's id; it stands where an error would.

        Raises:
            StoreError: the store cannot be written now; who only looks does not wait for who writes.
        """
        at = time.time()
        with self._database.write(patience=_LOOKING_SECONDS) as db:
            db.executemany(
                "UPDATE machines SET state = ?, state_at = ?, error = coalesce(?, error) WHERE id = ? AND state_at = ?",
                [
                    (state.value, at, (why or {}).get(machine.id), machine.id, machine.state_at)
                    for machine, state in seen
                ],
            )


def insert(db: sqlite3.Connection, spec: Spec, at: float) -> int:
    """A new row, inside the caller's transaction; raises sqlite3.IntegrityError for a taken name."""
    cursor = db.execute(
        "INSERT INTO machines (name, name_key, driver, state, state_at, spec, created_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (spec.name, spec.name.casefold(), spec.driver, State.CREATING.value, at, dump_spec(spec), at),
    )
    return int(cursor.lastrowid or 0)


def dump_spec(spec: Spec) -> str:
    """A spec as it is stored, the same text for the same spec."""
    return json.dumps({**fields_of(spec), "engine": fields_of(spec.engine)}, sort_keys=True)


def fields_of(value: Spec | EngineSpec | Access) -> dict[str, Any]:
    """As ``dataclasses.asdict``, which copies what is in it, and again what is in that."""
    return {each.name: getattr(value, each.name) for each in dataclasses.fields(value)}


def _machine(row: sqlite3.Row) -> Machine:
    spec = json.loads(row["spec"])
    engine: dict[str, Any] = spec["engine"]
    engine.update({key: tuple(value) for key, value in engine.items() if isinstance(value, list)})
    spec["engine"] = EngineSpec(**engine)
    spec["tls_san"] = tuple(spec["tls_san"])
    instance = None
    if row["access"] is not None:
        access = json.loads(row["access"])
        access["host_keys"] = tuple(access["host_keys"])
        instance = Instance(
            driver=row["driver"],
            id=row["provider_id"],
            access=Access(**access),
            data=json.loads(row["instance_data"]),
        )
    return Machine(
        id=row["id"],
        name=row["name"],
        spec=Spec(**spec),
        state=State(row["state"]),
        state_at=row["state_at"],
        instance=instance,
        endpoint=Endpoint(url=row["url"], route=row["route"]) if row["url"] else None,
        created_at=row["created_at"],
        facts=json.loads(row["facts"]),
        engine=row["engine"],
        port=row["port"],
        error=row["error"],
        account=json.loads(row["account"]),
        applied=json.loads(row["applied"]),
    )
