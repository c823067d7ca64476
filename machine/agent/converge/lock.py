"""One conversation changes a host at a time: a killed operator leaves one behind, which runs for a moment more."""

from __future__ import annotations

import fcntl
import os
import time

from machine.agent.errors import Failed
from machine.agent.host import Host
from machine.agent.wire import Wire

PLACE = "/run/pymachine-agent.lock"  # in memory: after a reboot nobody holds anything
WAIT_SECONDS = 30.0
_TURN = 0.02


def take(host: Host, wire: Wire) -> int:
    """Wait for our turn; the lock goes with the descriptor that is returned, so at the latest with this process.

    Raises:
        Failed: ``busy``: another conversation has not ended in time.
    """
    # Not inherited: what we start, a package manager say, has a lock of its own.
    descriptor = os.open(host.path(PLACE), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    until, said = time.monotonic() + min(WAIT_SECONDS, host.left()), False
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                os.close(descriptor)
                raise Failed(
                    "busy",
                    "another pymachine is at work on this host",
                    f"it has held {PLACE} for {WAIT_SECONDS:.0f} s",
                    "wait for it, or end it on the host: fuser -k " + PLACE,
                ) from None
            if not said:
                wire.progress("waiting for another pymachine that is at work on this host")
                said = True
            time.sleep(_TURN)
        else:
            return descriptor
