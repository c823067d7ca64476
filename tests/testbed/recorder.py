"""A journal for tests: it remembers what a driver says, and can act at the moment it is said."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


@dataclass
class ListRecorder:
    """A ``machine.driver.Recorder`` that keeps everything in lists."""

    resources: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    on_check: Callable[[], None] = lambda: None  # raises to stop the driver

    def resource(self, kind: str, id: str, **data: Any) -> None:
        """Remember that something exists."""
        self.resources.append((kind, id, data))

    def progress(self, text: str) -> None:
        """Remember what was said."""
        self.lines.append(text)

    def check(self) -> None:
        """Do what the test wants at every wait."""
        self.on_check()
