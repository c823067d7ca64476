"""Who runs an operation, and whether that process still lives."""

from __future__ import annotations

import functools
import os
import platform
from dataclasses import dataclass

_BOOT_ID = "/proc/sys/kernel/random/boot_id"


@dataclass(frozen=True, slots=True)
class Owner:
    """A process, told apart from a later one with the same number."""

    host: str
    pid: int
    started: str  # boot and start time where the system tells them; "" elsewhere

    @classmethod
    def current(cls) -> Owner:
        """This process."""
        return _of_process(os.getpid())

    def is_dead(self) -> bool:
        """Whether it is known to be gone; False also where that cannot be known (another host)."""
        if self.host != platform.node():
            return False
        if os.path.exists(_BOOT_ID):
            return _started(self.pid) != self.started
        return not process_exists(self.pid)

    def __str__(self) -> str:
        return f"process {self.pid} on {self.host}"


@functools.lru_cache(maxsize=1)  # asked for each operation; a child that was forked asks anew
def _of_process(pid: int) -> Owner:
    return Owner(platform.node(), pid, _started(pid) or "")


def process_exists(pid: int) -> bool:
    """Whether a process of this number is on this computer; True also where asking would end it (Windows)."""
    if os.name != "posix":
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # another user's
    return True


def _started(pid: int) -> str | None:
    """The boot and the start time of a process in clock ticks; None when there is no such process."""
    try:
        with open(_BOOT_ID) as file:
            boot = file.read().strip()
        with open(f"/proc/{pid}/stat") as file:
            stat = file.read()
    except OSError:
        return None
    # The command's name may hold spaces and brackets; the fields after it may not (proc(5): starttime is the 22nd).
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else f"{boot} {fields[19]}"
