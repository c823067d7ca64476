"""The two settings of this computer that machines may need changed, and putting them back.

A value is changed only where it does not do, and what it was is written down before. It is put back with the last
machine, unless somebody else has changed it meanwhile: then it is theirs. The note lies in ``/run``, where it lives as
long as the values do, and is the computer's, not one set of machines': whoever leaves last puts back.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path

from machine.driver import Recorder
from machine.drivers.nspawn import directories, records
from machine.drivers.nspawn.locking import locked
from machine.errors import DriverError

FORWARD = "net.ipv4.ip_forward"
INOTIFY = "fs.inotify.max_user_instances"

_INOTIFY_RAISED = 8192
# A machine at rest has 4 or 5 inotify instances, all of root's, and boots hang when they run out.
_INOTIFY_PER_MACHINE = 8
_INOTIFY_OWN = 64  # what the operator's own programs may need

_PROC = Path("/proc/sys")
_NOTE = Path("/run/pymachine/sysctls.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """What was changed, and who needs it."""

    boot: str  # of this computer: another boot has other values
    before: dict[str, str] = field(default_factory=dict)
    users: list[str] = field(default_factory=list)  # labels of sets of machines


def hold(label: str, machines: int, record: Recorder) -> None:
    """Change what so many machines need changed, and keep it until ``let_go``.

    Raises:
        DriverError: the kernel refuses.
    """
    with _note_locked(record):
        note = _read_note()
        now = read()
        changes = wanted(now, machines)
        # An older note knows the operator's own value; what we set ourselves meanwhile is not it.
        before = {name: now[name] for name in changes} | note.before
        users = sorted({*note.users, label})
        if (before, users) != (note.before, note.users):
            records.write_as(_NOTE, replace(note, before=before, users=users))
        write(changes)


def let_go(label: str, record: Recorder, *, forwarding_needed: bool) -> None:
    """Put back what was changed, unless another set of machines needs it still; see ``to_put_back``."""
    if not _NOTE.parent.exists():
        return
    with _note_locked(record):
        note = _read_note()
        users = [user for user in note.users if user != label]
        if users:
            records.write_as(_NOTE, replace(note, users=users))
        else:
            write(to_put_back(note.before, read(), forwarding_needed=forwarding_needed))
            records.forget(_NOTE)
            directories.remove_if_empty(_NOTE.parent, up_to=_NOTE.parent.parent)


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


def _note_locked(record: Recorder) -> AbstractContextManager[None]:
    return locked(_NOTE.parent, record, waiting_for="waiting for another process that changes this computer's settings")


def _read_note() -> Note:
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    note = records.read_as(_NOTE, Note)
    return note if note is not None and note.boot == boot else Note(boot=boot)


def _path(name: str) -> Path:
    return _PROC / name.replace(".", "/")
