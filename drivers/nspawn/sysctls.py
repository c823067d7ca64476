"""The two settings of this computer that machines may need changed, and putting them back.

A value is changed only where it does not do, and what it was is written down before. It is put back with the last
machine, unless somebody else has changed it meanwhile: then it is theirs.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from machine.errors import DriverError

FORWARD = "net.ipv4.ip_forward"
INOTIFY = "fs.inotify.max_user_instances"

_INOTIFY_RAISED = 8192
# A machine at rest has 4 or 5 inotify instances, all of root's, and boots hang when they run out.
_INOTIFY_PER_MACHINE = 8
_INOTIFY_OWN = 64  # what the operator's own programs may need

_PROC = Path("/proc/sys")


def wanted(now: Mapping[str, str], machines: int) -> dict[str, str]:
    """What must change, given the values now and how many machines there will be."""
    changes = {}
    if now.get(FORWARD) == "0":
        changes[FORWARD] = "1"
    if int(now.get(INOTIFY, _INOTIFY_RAISED)) < _INOTIFY_OWN + machines * _INOTIFY_PER_MACHINE:
        changes[INOTIFY] = str(_INOTIFY_RAISED)
    return changes


def to_put_back(before: Mapping[str, str], now: Mapping[str, str], *, forwarding_needed: bool) -> dict[str, str]:
    """What must be put back with the last machine.

    Args:
        before: the recorded values.
        now: the values now.
        forwarding_needed: something else on this computer, such as a Docker, forwards packets too; it found
            forwarding on and does not know that it was us.
    """
    ours = {FORWARD: "1", INOTIFY: str(_INOTIFY_RAISED)}
    return {
        name: value
        for name, value in before.items()
        if now.get(name) == ours.get(name) and not (name == FORWARD and forwarding_needed)
    }


def read() -> dict[str, str]:
    """The values now, of those that this kernel has."""
    values = {}
    for name in (FORWARD, INOTIFY):
        try:
            values[name] = _path(name).read_text().strip()
        except OSError:
            continue
    return values


def write(values: Mapping[str, str]) -> None:
    """Set values.

    Raises:
        DriverError: the kernel refuses one.
    """
    for name, value in values.items():
        try:
            _path(name).write_text(value)
        except OSError as error:
            raise DriverError(f"cannot set {name} to {value}", cause=error.strerror) from error


def _path(name: str) -> Path:
    return _PROC / name.replace(".", "/")
