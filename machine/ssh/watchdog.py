"""Closing what does not answer in time: one thread for all connections, there only while something is watched."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from typing import Protocol

_LOOK_UP_SECONDS = 0.5


class Closable(Protocol):
    """What waits for an answer, and stops waiting when it is closed."""

    def close(self) -> None:
        """End it."""


class _Watchdog:
    """A timer for each would be a thread for each, and most answers come in milliseconds."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._watched: dict[object, tuple[float, Closable]] = {}
        self._awake = False

    @contextlib.contextmanager
    def closing(self, what: Closable, seconds: float) -> Iterator[None]:
        """Close it when the body takes longer than that, and half a second."""
        token = object()
        with self._lock:
            self._watched[token] = time.monotonic() + seconds, what
            self._awake = self._awake or _started(self._watch, "ssh-watchdog")  # without one: the next who comes
        try:
            yield
        finally:
            with self._lock:
                self._watched.pop(token, None)

    def _watch(self) -> None:
        while True:
            time.sleep(_LOOK_UP_SECONDS)
            now = time.monotonic()
            with self._lock:
                late = [token for token, (until, _) in self._watched.items() if until < now]
                closed = [self._watched.pop(token)[1] for token in late]
                over = not self._watched
                if over:
                    self._awake = False  # who comes from here on starts another one
            for each in closed:
                # Apart: saying good-bye may wait for the other side as well.
                if not _started(each.close, "ssh-watchdog-close"):
                    with contextlib.suppress(Exception):  # no thread is to be had: nobody else may be forgotten for it
                        each.close()
            if over:
                return


def _started(target: Callable[[], object], name: str) -> bool:
    """Run it on a thread of its own; False where the system has none left."""
    try:
        threading.Thread(target=target, name=name, daemon=True).start()
    except RuntimeError:
        return False
    return True


_watchdog = _Watchdog()
closing_after = _watchdog.closing
