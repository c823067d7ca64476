"""What has happened to machines: read from the journal, never written here."""

from __future__ import annotations

import json
from typing import Any

from machine.model import Machine
from machine.store.database import Database
from machine.store.lease import is_abandoned


class History:
    """The operations of a store, looked back at."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def may_resume_create(self, machine: Machine) -> bool:
        """Whether ``create`` of this name goes on with what was begun (by whom, the reservation finds out)."""
        rows = self._database.read(
            "SELECT kind, status FROM operations WHERE machine_id = ? ORDER BY id DESC LIMIT 1", (machine.id,)
        )
        return bool(rows) and rows[0]["kind"] == "create" and rows[0]["status"] != "done"

    def ever_reported(self, machine: Machine, step: str) -> bool:
        """Whether in any operation on this machine this step came as far as saying what it does."""
        rows = self._database.read(
            "SELECT 1 FROM events e JOIN operations o ON o.id = e.operation_id"
            " WHERE o.machine_id = ? AND e.step = ? AND e.status IN ('progress', 'warning', 'done') LIMIT 1",
            (machine.id, step),
        )
        return bool(rows)

    def timeline(self, machine: Machine) -> list[dict[str, Any]]:
        """The operations on a machine with their steps, the oldest first."""
        operations = self._database.read("SELECT * FROM operations WHERE machine_id = ? ORDER BY id", (machine.id,))
        steps = self._database.read(
            "SELECT s.* FROM steps s JOIN operations o ON o.id = s.operation_id WHERE o.machine_id = ?"
            " ORDER BY s.begun_at",
            (machine.id,),
        )
        return [
            {
                "Operation": each["kind"],
                "Status": each["status"],
                "StartedAt": each["started_at"],
                "FinishedAt": each["finished_at"],
                "Error": each["error"] or "",
                "Steps": [
                    {
                        "Name": step["name"],
                        "Status": step["status"],
                        "BegunAt": step["begun_at"],
                        "EndedAt": step["ended_at"],
                        "Result": json.loads(step["result"] or "{}"),
                    }
                    for step in steps
                    if step["operation_id"] == each["id"]
                ],
            }
            for each in operations
        ]

    def unfinished(self) -> dict[int, str]:
        """Machines whose last operation has not ended well, and which one: failed, interrupted, or still at work."""
        rows = self._database.read(
            "SELECT machine_id, kind FROM operations WHERE status != 'done' AND id IN"
            " (SELECT max(id) FROM operations WHERE machine_id IS NOT NULL GROUP BY machine_id)"
        )
        return {row["machine_id"]: row["kind"] for row in rows}

    def epochs(self) -> dict[int, int]:
        """A number for each machine that is another one after every operation on it."""
        return {row["id"]: row["epoch"] for row in self._database.read("SELECT id, epoch FROM machines")}

    def interrupted(self) -> dict[int, str]:
        """Machines whose last operation is recorded as running by a process that is gone, and which one."""
        rows = self._database.read(
            "SELECT * FROM operations WHERE status = 'running' AND machine_id IS NOT NULL ORDER BY id"
        )
        return {row["machine_id"]: row["kind"] for row in rows if is_abandoned(row)}
