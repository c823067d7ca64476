"""Consent to what a host's engine must change for: it is restarted, and that is the user's to decide."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING

from machine.bootstrap.session import Consent, EngineChange
from machine.errors import ConsentNeeded
from machine.operations.log import redacted

if TYPE_CHECKING:
    from machine.operations.operation import Operation

AskConsent = Callable[[str, EngineChange], bool]
"""``ask(machine, change)``: shows the change; whether it may be made."""


def refuse(_machine: str, _change: EngineChange) -> bool:
    """For callers who have nobody to ask."""
    return False


def consent_of(op: Operation, *, ours: bool) -> Consent:
    """How an operation answers a host that asks.

    Args:
        ours: the host was made for this machine: its engine is ours to configure.
    """

    def consent(change: EngineChange) -> None:
        change = _shown(change)
        if not ours and not op.settings.ask_consent(op.machine, change):
            raise ConsentNeeded(
                "the engine's configuration would have to change, and nobody agreed to that: nothing was changed",
                cause="; ".join(f"{what}: {before or '(nothing)'} -> {after}" for what, before, after in change.lines),
                hint="to agree, say -y, or answer the question on a terminal",
            )
        op.check("the engine's restart")

    return consent


def _shown(change: EngineChange) -> EngineChange:
    """What a screen may show of a change: no password."""
    lines = tuple((redacted(what), redacted(before), redacted(after)) for what, before, after in change.lines)
    return dataclasses.replace(change, lines=lines, warnings=tuple(map(redacted, change.warnings)))
