"""The journal as a driver sees it, for tests: it remembers what is said, and can stop the driver at any call."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from machine.errors import Cancelled


@dataclass
class ListRecorder:
    """A ``machine.driver.Recorder`` that keeps everything in lists."""

    resources: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)  # kind, id, data
    lines: list[str] = field(default_factory=list)
    on_check: Callable[[], None] = lambda: None  # raises to stop the driver
    kept: dict[str, bytes] = field(default_factory=dict)
    before: dict[str, Any] = field(default_factory=dict)  # the data that an earlier attempt has recorded

    def resource(self, kind: str, id: str, **data: Any) -> None:
        """Remember that something exists."""
        self.resources.append((kind, id, data))

    def progress(self, text: str) -> None:
        """Remember what was said."""
        self.lines.append(text)

    def check(self, waiting_for: str = "") -> None:
        """Do what the test wants at every wait."""
        self.on_check()

    def recall(self) -> dict[str, Any]:
        """What was recorded last."""
        return dict(self.resources[-1][2]) if self.resources else dict(self.before)

    def keep(self, name: str, make: Callable[[], bytes]) -> bytes:
        """The same bytes each time."""
        if name not in self.kept:
            self.kept[name] = make()
        return self.kept[name]

    @property
    def last(self) -> tuple[str, dict[str, Any]] | None:
        """The id and data that a store would know now: the last ones said; None before the first."""
        if not self.resources:
            return None
        return self.resources[-1][1:]


@dataclass
class StoppingRecorder(ListRecorder):
    """Counts the calls of all three kinds and raises `Cancelled` at the chosen one.

    An id said in that very call is not remembered, as when the disk is full or the process is killed a line earlier;
    with ``after``, it is, as when the process is killed a line later.
    """

    at: int = 0  # which call, the first is 1; 0: none, only count
    after: bool = False
    calls: list[str] = field(default_factory=list)  # the kinds, in order

    def resource(self, kind: str, id: str, **data: Any) -> None:
        """Remember that something exists, unless this is the call to stop at."""
        stop = self._count("resource")
        if not stop or self.after:
            super().resource(kind, id, **data)
        self._stop(stop)

    def progress(self, text: str) -> None:
        """Remember what was said, unless this is the call to stop at."""
        stop = self._count("progress")
        if not stop:
            super().progress(text)
        self._stop(stop)

    def check(self, waiting_for: str = "") -> None:
        """A wait's look at whether to go on."""
        self._stop(self._count("check"))

    def _count(self, kind: str) -> bool:
        self.calls.append(kind)
        return len(self.calls) == self.at

    def _stop(self, stop: bool) -> None:
        if stop:
            raise Cancelled(f"stopped by the test at call {self.at}")
