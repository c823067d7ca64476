"""Who may touch what: locks on directories, which leave no lock file behind and end with their process.

A machine is locked by its own directory, all that machines share by the state directory. Whoever needs both takes the
machine first. A directory can be removed by the holder while others wait for it, so a lock counts only when the
directory is still the one that was opened.
"""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from machine.driver import Recorder
from machine.drivers.nspawn.directories import make_private

_TURN = 0.02  # seconds between two attempts


@contextmanager
def locked(directory: Path, record: Recorder, *, waiting_for: str) -> Iterator[None]:
    """Hold a directory, made if it is missing (mode 0700), for the length of a block.

    Args:
        directory: what is locked.
        record: told once when there is a wait; its ``check`` ends the wait.
        waiting_for: what to say then.
    """
    told = False
    while True:
        make_private(directory)
        try:
            handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue  # removed between the two lines
        try:
            if not _try(handle):
                if not told:
                    record.progress(waiting_for)
                    told = True
                record.check()
                time.sleep(_TURN)
                continue
            if not _still(handle, directory):
                continue
            yield
            return
        finally:
            os.close(handle)


@contextmanager
def if_free(directory: Path) -> Iterator[bool]:
    """Hold a directory for the length of a block, unless somebody else holds it; says whether it is held."""
    while True:
        make_private(directory)
        try:
            handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue  # removed between the two lines
        try:
            mine = _try(handle)
            if mine and not _still(handle, directory):
                continue
            yield mine
            return
        finally:
            os.close(handle)


def _try(handle: int) -> bool:
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in (errno.EAGAIN, errno.EACCES):
            return False
        raise
    return True


def _still(handle: int, directory: Path) -> bool:
    try:
        now = directory.stat()
    except FileNotFoundError:
        return False
    held = os.fstat(handle)
    return (held.st_dev, held.st_ino) == (now.st_dev, now.st_ino)
