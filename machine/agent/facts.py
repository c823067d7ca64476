"""What the host says of itself, read from files every Linux has; no process is started."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # `typing` would cost a converge with nothing to do 4 ms
if TYPE_CHECKING:
    from typing import Any


def host_facts(root: str = "/") -> dict[str, Any]:
    """Operating system, architecture, kernel, processors, memory in bytes, and the Python that runs this."""
    release = os_release(root)
    system = os.uname()
    return {
        "os": {
            "id": release.get("ID", "linux"),
            "version_id": release.get("VERSION_ID", ""),
            "pretty_name": release.get("PRETTY_NAME", "Linux"),
        },
        "arch": system.machine,
        "kernel": system.release,
        "cpus": len(os.sched_getaffinity(0)),
        "memory": _memory(),
        "python": ".".join(map(str, sys.version_info[:3])),
    }


def os_release(root: str) -> dict[str, str]:
    """What /etc/os-release says."""
    found = {}
    for path in ("etc/os-release", "usr/lib/os-release"):
        try:
            with open(os.path.join(root, path), encoding="utf-8", errors="replace") as file:
                for line in file:
                    name, equals, value = line.strip().partition("=")
                    if equals:
                        found[name] = value.strip("\"'")
            break
        except OSError:
            continue
    return found


def _memory() -> int:
    """What there is for this system: a container's limit where it is less than the machine's memory."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        try:
            with open(path) as file:
                total = min(total, int(file.read()))
        except (OSError, ValueError):
            continue  # not this hierarchy, or "max"
    return total
