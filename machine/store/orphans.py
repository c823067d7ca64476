"""What is out there with our marks and without a machine, or what could not be removed: kept until it is gone."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from machine.store.database import Database
from machine.store.lease import Entry, fenced


@dataclass(frozen=True, slots=True, kw_only=True)
class Orphan:
    """A provider's resource that no machine owns any more."""

    driver: str
    kind: str
    id: str  # the provider's
    machine: str  # the name it had
    token: str  # of the operation that made it
    data: Mapping[str, Any]
    reason: str  # one line: why it is here
    found_at: float
    account: Mapping[str, Any] = field(default_factory=dict)  # whom its driver asks about it; no secret


class Orphans:
    """The orphans table of a store."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> list[Orphan]:
        """Every orphan, the oldest first."""
        return [
            Orphan(
                driver=row["driver"],
                kind=row["kind"],
                id=row["provider_id"],
                machine=row["machine"],
                token=row["token"],
                data=json.loads(row["data"]),
                reason=row["reason"],
                found_at=row["found_at"],
                account=json.loads(row["account"]),
            )
            for row in self._database.read("SELECT * FROM orphans ORDER BY id")
        ]

    def record(self, entry: Entry, orphan: Orphan) -> None:
        """Remember what could not be removed, when the machine's own record is about to go."""
        with self._database.write() as db:
            fenced(db, entry, "heartbeat = ?", time.time())
            db.execute(
                "INSERT OR REPLACE INTO orphans"
                " (driver, kind, provider_id, machine, token, data, reason, found_at, account)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    orphan.driver,
                    orphan.kind,
                    orphan.id,
                    orphan.machine,
                    orphan.token,
                    json.dumps(dict(orphan.data)),
                    orphan.reason,
                    orphan.found_at,
                    json.dumps(dict(orphan.account), sort_keys=True),
                ),
            )

    def forget(self, orphan: Orphan) -> None:
        """It is gone."""
        with self._database.write() as db:
            db.execute(
                "DELETE FROM orphans WHERE driver = ? AND kind = ? AND provider_id = ?",
                (orphan.driver, orphan.kind, orphan.id),
            )

    def own_tokens(self) -> set[str]:
        """The tokens of every operation of this store's journal: what `gc` may remove was made under one of them."""
        return {row["token"] for row in self._database.read("SELECT token FROM operations")}

    def known_tokens(self) -> set[str]:
        """The tokens of the instances that machines own."""
        return {row["token"] for row in self._database.read("SELECT token FROM instances")}

    def accounts_ever_used(self) -> list[tuple[str, dict[str, Any]]]:
        """Every driver that an operation of this store was ever given to, with each account it was used for."""
        rows = self._database.read(
            "SELECT DISTINCT driver, account FROM operations WHERE driver != ''"
            # An operation that asked nobody for anything says nothing about an account.
            " AND (account != '{}' OR driver NOT IN (SELECT driver FROM operations WHERE account != '{}'))"
            " ORDER BY driver, account"
        )
        return [(row["driver"], json.loads(row["account"])) for row in rows]
