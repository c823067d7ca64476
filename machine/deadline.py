"""One deadline for a whole wait, cancellation that every wait checks, and retries with back-off and jitter.

Clock and sleep are parameters, so that a test waits for nothing.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from typing import TypeVar

from machine.errors import Cancelled, DeadlineExceeded, PymachineError

T = TypeVar("T")


class Cancellation:
    """Set once, by Ctrl-C or by an API's caller; every wait looks at it."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._reason: PymachineError | None = None
        self._children: list[Cancellation] = []

    def cancel(self, reason: PymachineError | None = None) -> None:
        """Ask everything that waits to stop between steps.

        Args:
            reason: what they raise; left out: `Cancelled`.
        """
        self._reason = self._reason or reason
        self._event.set()
        for child in self._children:
            child.cancel(reason)

    @property
    def cancelled(self) -> bool:
        """Whether it is time to stop."""
        return self._event.is_set()

    def check(self) -> None:
        """Raise the reason, when cancelled."""
        if self._event.is_set():
            raise self._reason or Cancelled("stopped before it was finished")

    def child(self) -> Cancellation:
        """One that can be cancelled alone, and is cancelled with this one."""
        child = Cancellation()
        self._children.append(child)
        if self._event.is_set():
            child.cancel(self._reason)
        return child

    def sleep(self, seconds: float) -> None:
        """Sleep that a cancellation ends at once."""
        self._event.wait(seconds)
        self.check()


class Deadline:
    """Seconds that are left for everything below; handed down instead of a timeout for each call."""

    def __init__(
        self,
        seconds: float,
        *,
        cancellation: Cancellation | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.seconds = seconds
        self.cancellation = cancellation or Cancellation()
        self._clock = clock
        self._end = clock() + seconds

    def remaining(self, at_most: float | None = None) -> float:
        """Seconds left, never below a millisecond (0 means "for ever" or "do not block" to sockets)."""
        left = max(self._end - self._clock(), 0.001)
        return left if at_most is None else min(left, at_most)

    @property
    def passed(self) -> bool:
        """Whether the time is used up."""
        return self._clock() >= self._end

    def check(self, waiting_for: str = "it") -> None:
        """Raise `Cancelled` or `DeadlineExceeded` when it is time to stop."""
        self.cancellation.check()
        if self.passed:
            raise DeadlineExceeded(f"gave up waiting for {waiting_for} after {self.seconds:g} s")

    def retry(
        self,
        attempt: Callable[[], T],
        *,
        retryable: Callable[[Exception], bool],
        first: float = 0.05,
        longest: float = 2.0,
        on_retry: Callable[[Exception], None] | None = None,
        jitter: Callable[[], float] = random.random,
        sleep: Callable[[float], None] | None = None,
    ) -> T:
        """Call ``attempt`` until it succeeds, fails for good, or the time is up (then its last error is raised).

        The pause doubles from ``first`` to ``longest`` seconds; a random half of it keeps many clients apart.
        """
        sleep = sleep or self.cancellation.sleep
        pause = first
        while True:
            self.cancellation.check()
            try:
                return attempt()
            except Exception as error:
                if not retryable(error) or self.remaining() <= pause:
                    raise
                if on_retry is not None:
                    on_retry(error)
            sleep(pause * (0.5 + jitter() / 2))
            pause = min(pause * 2, longest)
