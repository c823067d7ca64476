"""One apply of a fleet at a time: a lock that its holder's death gives back, and that says who holds it.

A file of the store, ``fleets/NAME.lock``, locked by the system for as long as the process lives. Whoever waits reads in
it for whom. Operations on single machines have leases of their own and ask nobody here.
"""

from __future__ import annotations

import contextlib
import getpass
import json
import os
import platform
import time
from collections.abc import Callable, Iterator

from machine.deadline import Cancellation
from machine.errors import OperationInProgress
from machine.store.database import make_private_directory

DIRECTORY = "fleets"  # of the store
_TURN = 0.1  # seconds: the system wakes up whoever waits for a lock, and cannot be told of a cancellation


@contextlib.contextmanager
def fleet_lock(
    directory: str,
    fleet: str,
    cancellation: Cancellation,
    *,
    wait: bool = True,
    on_wait: Callable[[str], None] = lambda _holder: None,
) -> Iterator[None]:
    """Hold the lock of a fleet.

    Args:
        directory: the store's.
        wait: False: do not wait for another process.
        on_wait: called once, before waiting, with the holder in words.

    Raises:
        OperationInProgress: another process holds it, and is not waited for.
        Cancelled: while waiting.
    """
    place = os.path.join(directory, DIRECTORY)
    make_private_directory(place)
    descriptor = os.open(os.path.join(place, f"{fleet}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        told = False
        while not _taken(descriptor):
            holder = _holder(descriptor)
            if not wait:
                raise OperationInProgress(
                    f'the fleet "{fleet}" is being applied by another process',
                    cause=holder,
                    hint="wait for it, or leave out --no-wait",
                )
            if not told:
                told = True
                on_wait(holder)
            cancellation.sleep(_TURN)
        _write(descriptor)
        yield
    finally:
        os.close(descriptor)  # which gives the lock back


def _taken(descriptor: int) -> bool:
    import fcntl  # only Unix has it, and this module is imported everywhere

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _write(descriptor: int) -> None:
    """Say who we are; whoever reads half of it says less."""
    said = {"user": _user(), "host": platform.node(), "pid": os.getpid(), "since": time.time()}
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, json.dumps(said).encode(), 0)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a number without a name
        return str(os.getuid())


def _holder(descriptor: int) -> str:
    try:
        said = json.loads(os.pread(descriptor, 4096, 0))
        since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(said["since"]))
        return f"{said['user']}@{said['host']}, process {said['pid']}, since {since}"
    except (ValueError, LookupError, TypeError):  # it has only just taken it
        return "a process that has only just begun"
