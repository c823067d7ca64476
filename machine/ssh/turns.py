"""Turns at a bastion: it drops connections, at random, when more than ten are about to log in (sshd's MaxStartups)."""

from __future__ import annotations

import contextlib
import threading
from collections import defaultdict
from collections.abc import Iterator

from machine.deadline import Deadline

AT_ONCE = 8  # sshd begins to drop at 10, and we may not be alone
_LOOK_UP_SECONDS = 0.25  # how often a wait looks at its deadline and at a cancellation
_turns: defaultdict[tuple[str, int], threading.Semaphore] = defaultdict(lambda: threading.Semaphore(AT_ONCE))
_lock = threading.Lock()


@contextlib.contextmanager
def turn(host: str, port: int, deadline: Deadline) -> Iterator[None]:
    """Log in at a bastion while not too many others of this process do; those that are in do not count.

    Raises:
        DeadlineExceeded, Cancelled: while waiting for it.
    """
    with _lock:
        semaphore = _turns[host, port]
    while not semaphore.acquire(timeout=deadline.remaining(_LOOK_UP_SECONDS)):
        deadline.check(f"a turn at {host}")
    try:
        yield
    finally:
        semaphore.release()
