"""The machines of a fleet as they are wanted, recorded and seen. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from machine.fleet.survey import Survey


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One machine."""

    machine: str
    group: str
    wanted: bool  # whether the file has it
    recorded: str  # its state in the store; empty: it is not there
    observed: str  # its state now; empty: nobody was asked, or nobody knows
    url: str
    action: str  # what an apply would do
    reasons: tuple[str, ...]

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "machine": self.machine,
            "group": self.group,
            "wanted": self.wanted,
            "recorded": self.recorded,
            "observed": self.observed,
            "url": self.url,
            "action": self.action,
            "reasons": list(self.reasons),
        }


def standings(found: Survey) -> list[Standing]:
    """All machines of a fleet, in the order of its plan."""
    wanted = {machine.name for machine in found.fleet.machines()}
    rows = []
    for change in found.plan.changes:
        machine = found.machines.get(change.machine.casefold())
        seen = found.seen.get(machine.id) if machine is not None else None
        rows.append(
            Standing(
                machine=change.machine,
                group=change.group,
                wanted=change.machine in wanted,
                recorded=str(machine.state) if machine is not None else "",
                observed=str(seen.state) if seen is not None and not seen.recorded else "",
                url=machine.url if machine is not None else "",
                action=str(change.action),
                reasons=change.reasons,
            )
        )
    return rows
