"""What is in the cache, which machines use it, and dropping what none does.

Several sets of machines may share a cache (``PYMACHINE_NSPAWN_ROOT``); each announces itself in it before its first
machine and retires with its last, so that nobody drops what another set stands on. Whoever takes a base into use holds
its lock until the machine's record is written, and dropping holds the same lock.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from machine.driver import CacheEntry
from machine.drivers.nspawn import base, directories, records
from machine.drivers.nspawn.layout import Layout
from machine.drivers.nspawn.locking import if_free
from machine.errors import DriverError

_DROPPING = "dropping-"
_BASE = re.compile(r"[0-9a-f]{20}")
# A base, or what is left of making or dropping one.
_OURS = re.compile(rf"(?P<prefix>{base.BUILDING}|{_DROPPING}|)(?P<base>{_BASE.pattern})(?P<suffix>(\.json(\.new)?)?)")
_BLOCK = 512  # bytes; what st_blocks counts, whatever the file system


def announce(layout: Layout) -> None:
    """Say in the cache that this set of machines uses it. The caller holds what all its machines share."""
    link = layout.users / layout.label
    if not link.is_symlink() or link.readlink() != layout.state:
        directories.make_private(layout.users)
        link.unlink(missing_ok=True)
        link.symlink_to(layout.state)


def retire(layout: Layout) -> None:
    """Take that back. The caller holds what all its machines share, and there is none."""
    (layout.users / layout.label).unlink(missing_ok=True)


def entries(layout: Layout) -> list[CacheEntry]:
    """All that is in the cache, by name.

    Raises:
        DriverError: we may not look at it.
    """
    with _allowed(layout):
        used = _users(layout)
        found = [_entry(layout, each, used) for each in _there(layout)]
        return [each for each in found if each is not None]


def drop(layout: Layout, id: str) -> bool:
    """Remove an entry, unless a machine uses it or somebody is at it.

    Returns:
        Whether it is gone.

    Raises:
        DriverError: it cannot be removed, or is none of ours.
    """
    name = _OURS.fullmatch(id)
    if name is None:
        raise DriverError(f"{id!r} is no entry of the cache {layout.cache}")
    path = layout.cache / id
    with _allowed(layout):
        try:
            path.lstat()  # `exists` takes what may not be looked at for absent
        except FileNotFoundError:
            return True
        lock = layout.base_lock(name["base"])
        with if_free(lock) as mine:
            if not mine or (_is_base(path) and str(path) in _users(layout)):
                return False
            _remove(path)
            lock.rmdir()
    return True


def _remove(path: Path) -> None:
    if not path.is_dir():
        path.unlink(missing_ok=True)
        return
    going = path
    if _is_base(path):  # a base is there or not: never half of one
        going = path.with_name(_DROPPING + path.name)
        directories.remove_tree(going)  # of a drop that was killed
        path.rename(going)
        base.about(path).unlink(missing_ok=True)
    directories.remove_tree(going)


def _there(layout: Layout) -> list[Path]:
    try:
        return sorted(path for path in layout.cache.iterdir() if _OURS.fullmatch(path.name))
    except FileNotFoundError:
        return []


def _is_base(path: Path) -> bool:
    return _BASE.fullmatch(path.name) is not None


def _entry(layout: Layout, path: Path, used: Mapping[str, list[str]]) -> CacheEntry | None:
    """One entry; None for what belongs to another one."""
    name = _OURS.fullmatch(path.name)
    assert name is not None  # noqa: S101 - the caller chose these
    if name["suffix"] == ".json" and (layout.cache / name["base"]).is_dir():
        return None
    try:
        entry = CacheEntry(
            driver="nspawn", id=path.name, what="", path=str(path), size=_size(path), made_at=path.lstat().st_ctime
        )
    except FileNotFoundError:  # it went while we looked
        return None
    busy = _held(layout.base_lock(name["base"]))
    if _is_base(path):
        return replace(entry, what=_made_from(path), machines=tuple(sorted(used.get(str(path), ()))), busy=busy)
    what = "being made" if busy and name["prefix"] == base.BUILDING else "left over"
    return replace(entry, what=what, busy=busy)


def _made_from(path: Path) -> str:
    try:
        known = records.read_as(base.about(path), base.About)
        if known is not None:
            return _described(known.base)
    except (DriverError, LookupError, TypeError):
        pass  # it can be used all the same, and be dropped
    system = "a system"
    with contextlib.suppress(OSError):
        release = (path / "etc/os-release").read_text(encoding="utf-8", errors="replace")
        named = re.search(r'^PRETTY_NAME="?([ -~]*?)"?$', release, re.MULTILINE)
        system = named[1] if named else system
    return f"{system}; what it was made from is not recorded"


def _described(made_from: Mapping[str, Any]) -> str:
    if made_from["kind"] == "tarball":
        return f"{made_from['path']} (sha256 {made_from['sha256'][:12]})"
    recipe = made_from["recipe"]
    mirror = f" from {recipe['mirror']}" if recipe.get("mirror") else ""
    return f"Debian {recipe['suite']} {recipe['architecture']}{mirror}: {', '.join(recipe['include'])}"


def _users(layout: Layout) -> dict[str, list[str]]:
    """Base directory -> the names of the machines over it, in every set that uses this cache."""
    states = {layout.state}
    with contextlib.suppress(FileNotFoundError):
        states |= {link.readlink() for link in layout.users.iterdir()}
    used: dict[str, list[str]] = {}
    for state in states:
        for machine in records.all_records(replace(layout, state=state)):
            used.setdefault(machine.base, []).append(machine.machine)
    return used


def _held(lock: Path) -> bool:
    if not lock.is_dir():
        return False
    with if_free(lock) as mine:
        if mine:
            with contextlib.suppress(OSError):
                lock.rmdir()  # of a process that was killed
        return not mine


def _size(path: Path) -> int:
    """The room a file or a directory takes up, in bytes; a file with several names counts once."""
    seen: set[tuple[int, int]] = set()
    total = 0
    for each in (str(path), *_below(path)):
        with contextlib.suppress(FileNotFoundError):
            status = os.lstat(each)
            if (status.st_dev, status.st_ino) not in seen:
                seen.add((status.st_dev, status.st_ino))
                total += status.st_blocks * _BLOCK
    return total


def _below(path: Path) -> Iterator[str]:
    for directory, names, files in os.walk(path):
        yield from (os.path.join(directory, name) for name in (*names, *files))


@contextlib.contextmanager
def _allowed(layout: Layout) -> Iterator[None]:
    try:
        yield
    except PermissionError as error:
        raise DriverError(
            f"the cache {layout.cache} is root's", cause=f"{error.filename}: {error.strerror}", hint="run it with sudo"
        ) from error
