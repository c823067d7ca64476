"""What drivers have learnt about their providers and would ask again: facts that seldom change, with their age."""

from __future__ import annotations

import contextlib
import json
import time
from typing import Any

from machine.errors import StoreError
from machine.store.database import Database

_PATIENCE = 0.5  # seconds: what is noted saves a call, and is not worth a wait


class StoredNotes:
    """The notes of a store, as `machine.driver.Notes`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, key: str, max_age: float) -> Any:
        """What was noted under this key at most ``max_age`` seconds ago; None: nothing."""
        rows = self._database.read("SELECT value, at FROM notes WHERE key = ?", (key,))
        if not rows or not 0 <= time.time() - rows[0]["at"] <= max_age:
            return None
        return json.loads(rows[0]["value"])

    def beginning(self, prefix: str) -> dict[str, Any]:
        """All that was ever noted under keys that begin so."""
        sql = "SELECT key, value FROM notes WHERE substr(key, 1, ?) = ?"
        rows = self._database.read(sql, (len(prefix), prefix))
        return {row["key"]: json.loads(row["value"]) for row in rows}

    def put(self, key: str, value: Any) -> None:
        """Note it; one that cannot be written now is done without."""
        with contextlib.suppress(StoreError), self._database.write(patience=_PATIENCE) as db:
            db.execute("INSERT OR REPLACE INTO notes VALUES (?, ?, ?)", (key, json.dumps(value), time.time()))
