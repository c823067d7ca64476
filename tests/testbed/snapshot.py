"""What a host's file system is like: the mode, owner and content of every file that differs from its base.

Read from outside, from the overlay's upper directory: it holds everything the host ever changed and takes milliseconds.
Two snapshots of one host are compared with ``difference``.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.testbed.host import Host

# What a running system writes by itself, whoever is logged in.
VOLATILE = (
    "/run", "/tmp", "/var/tmp", "/var/log", "/var/lib/docker", "/var/lib/containerd", "/var/lib/systemd",
    "/etc/resolv.conf", "/var/lib/private", "/etc/docker/key.json",
)  # fmt: skip


@dataclass(frozen=True)
class Entry:
    """One file as it is."""

    mode: str  # as ls shows it
    owner: str  # uid:gid
    content: str  # a file's SHA-256, a link's target


def snapshot(host: Host, *, volatile: Sequence[str] = VOLATILE) -> dict[str, Entry | None]:
    """What differs from the host's base, by path; None: removed.

    Args:
        host: any host of the testbed, running or not.
        volatile: directories and files to leave out.
    """
    found: dict[str, Entry | None] = {}
    for path in _walk(host.upper):
        name = "/" + str(path.relative_to(host.upper))
        if any(name == each or name.startswith(each + "/") for each in volatile):
            continue
        below = host.base / name[1:]
        info = path.lstat()
        if stat.S_ISCHR(info.st_mode) and info.st_rdev == 0:  # an overlay's way of saying: removed
            found[name] = None
            continue
        entry = _entry(path)
        if _replaced(path):
            for each in _walk(below):
                inner = f"{name}/{each.relative_to(below)}"
                if not (host.upper / inner[1:]).exists():
                    found[inner] = None
        if not os.path.lexists(below) or _entry(below) != entry:
            found[name] = entry
    return found


def difference(
    before: Mapping[str, Entry | None], after: Mapping[str, Entry | None]
) -> dict[str, tuple[Entry | str | None, Entry | str | None]]:
    """The paths that are not the same in both, with what they were and are; ``base``: as in the base."""
    paths = sorted({*before, *after})
    return {
        path: (before.get(path, "base"), after.get(path, "base"))
        for path in paths
        if before.get(path, "base") != after.get(path, "base")
    }


def _walk(top: Path) -> Iterator[Path]:
    for directory, directories, files in os.walk(top):
        for name in (*directories, *files):
            yield Path(directory, name)


def _entry(path: Path) -> Entry:
    info = path.lstat()
    content = ""
    if stat.S_ISREG(info.st_mode):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
    elif stat.S_ISLNK(info.st_mode):
        content = str(path.readlink())
    return Entry(mode=stat.filemode(info.st_mode), owner=f"{info.st_uid}:{info.st_gid}", content=content)


def _replaced(path: Path) -> bool:
    """Whether a directory hides the one below it."""
    if path.is_symlink() or not path.is_dir():
        return False
    try:
        return os.getxattr(path, "trusted.overlay.opaque") == b"y"
    except OSError:
        return False
