"""Control groups: what holds a machine's processes together, limits them, and lets all of them be ended.

A machine has ``LABEL/ID`` in every hierarchy, with the limits, and its processes live in ``LABEL/ID/machine``: root
inside the machine sees that as the top and cannot lift what is set above it. Its launcher is in a group beside that,
because version 2 wants processes in leaves only. The groups are at the top of the
hierarchies and not below the operator's session, so that a machine outlives the logout.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from machine.errors import DriverError

_LEAVES = ("launcher", "machine")
_PERIOD = 100_000  # microseconds, the kernel's default
_V2_CONTROLLERS = ("cpuset", "cpu", "io", "memory", "pids")
_EMPTY_WITHIN = 10.0  # seconds for killed processes to be gone


@dataclass(frozen=True, slots=True, kw_only=True)
class Hierarchy:
    """One mounted hierarchy of control groups."""

    path: Path
    version: int
    options: frozenset[str] = frozenset()  # version 1: its controllers


def hierarchies(mounts: str) -> list[Hierarchy]:
    """The hierarchies in the text of ``/proc/mounts`` that can be written to."""
    found = []
    for line in mounts.splitlines():
        _, path, kind, options, *_ = line.split()
        if kind in ("cgroup", "cgroup2") and "rw" in options.split(","):
            version = 2 if kind == "cgroup2" else 1
            place = Path(path.replace("\\040", " "))
            found.append(Hierarchy(path=place, version=version, options=frozenset(options.split(","))))
    return found


def mounted() -> list[Hierarchy]:
    """The hierarchies of this computer."""
    return hierarchies(Path("/proc/self/mounts").read_text(encoding="utf-8"))


def legacy() -> bool:
    """Whether the controllers are in version 1, alone or beside an empty version 2."""
    return any(each.version == 1 for each in mounted())


def create(label: str, id: str, *, cpus: float | None, memory: int | None) -> list[Path]:
    """Make a machine's groups and set its limits.

    Returns:
        The machine's own group in each hierarchy; its launcher moves itself into the ones below.

    Raises:
        DriverError: a group or a limit cannot be made.
    """
    tops = []
    limits = {"cpu": cpus is None, "memory": memory is None}  # whether each is settled
    try:
        for each in mounted():
            top = each.path / label / id
            for leaf in _LEAVES:
                _make(top / leaf)
            if each.version == 2:
                settled = _create_v2(each, label, top, cpus, memory)
            else:
                settled = _create_v1(each, label, top, cpus, memory)
            for name in settled:
                limits[name] = True
            tops.append(top)
    except OSError as error:
        raise DriverError(
            "cannot make the machine's control group", cause=f"{error.filename}: {error.strerror}"
        ) from error
    missing = [name for name, done in limits.items() if not done]
    if missing or not tops:
        raise DriverError(
            f"this computer has no control group for {' and '.join(missing) or 'processes'}",
            cause="no hierarchy in /proc/mounts has it",
            hint="create the machine without that limit" if missing else "mount the cgroup file systems",
        )
    return tops


def _create_v1(each: Hierarchy, label: str, top: Path, cpus: float | None, memory: int | None) -> list[str]:
    settled = []
    if "cpuset" in each.options:
        # A new group has neither processors nor memory nodes, and nothing can be moved into it.
        for group in (each.path / label, top, *(top / leaf for leaf in _LEAVES)):
            for name in ("cpuset.cpus", "cpuset.mems"):
                if not (group / name).read_text().strip():
                    _write(group / name, (group.parent / name).read_text().strip())
    if "memory" in each.options and memory is not None:
        both = top / "memory.memsw.limit_in_bytes"
        if both.exists():  # with swap counted; it may never be below the other limit, so it is opened first
            _write(both, "-1")
        _write(top / "memory.limit_in_bytes", str(memory))
        if both.exists():
            _write(both, str(memory))
        settled.append("memory")
    if "cpu" in each.options and cpus is not None:
        _write(top / "cpu.cfs_period_us", str(_PERIOD))
        _write(top / "cpu.cfs_quota_us", str(int(cpus * _PERIOD)))
        settled.append("cpu")
    return settled


def _create_v2(each: Hierarchy, label: str, top: Path, cpus: float | None, memory: int | None) -> list[str]:
    # Not tried where the controllers are in version 2 (there is no such computer here): the groups themselves are.
    available = (each.path / "cgroup.controllers").read_text().split()
    for group in (each.path, each.path / label, top):
        for name in _V2_CONTROLLERS:
            if name in available:
                try:
                    _write(group / "cgroup.subtree_control", f"+{name}")
                except OSError:
                    continue  # held by something else; only a limit that needs it makes this an error
    settled = []
    if memory is not None and (top / "memory.max").exists():
        _write(top / "memory.max", str(memory))
        settled.append("memory")
    if cpus is not None and (top / "cpu.max").exists():
        _write(top / "cpu.max", f"{int(cpus * _PERIOD)} {_PERIOD}")
        settled.append("cpu")
    return settled


def processes(label: str, id: str) -> set[int]:
    """Every process of a machine, whatever it did to hide in groups of its own."""
    found: set[int] = set()
    for each in mounted():
        for group in _groups(each.path / label / id):
            try:
                found.update(int(pid) for pid in (group / "cgroup.procs").read_text().split())
            except (OSError, ValueError):
                continue  # the group went away: so did its processes
    found.discard(0)  # a process of another namespace, as version 1 shows it
    return found


def end(label: str, id: str) -> None:
    """Kill every process of a machine and return when none is left.

    Raises:
        DriverError: one of them does not end.
    """
    deadline = time.monotonic() + _EMPTY_WITHIN
    while pids := {pid for pid in processes(label, id) if not _zombie(pid)}:
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        if time.monotonic() > deadline:
            raise DriverError(f"processes of the machine {id} do not end", cause=f"still there: {sorted(pids)}")
        time.sleep(0.005)


def remove(label: str, id: str) -> None:
    """Remove a machine's groups, which must be empty of processes, and the label's when it was the last one.

    Raises:
        DriverError: a group stays busy.
    """
    deadline = time.monotonic() + _EMPTY_WITHIN
    for each in mounted():
        top = each.path / label / id
        while top.exists():
            busy = None
            for group in reversed(list(_groups(top))):
                try:
                    group.rmdir()
                except FileNotFoundError:
                    continue
                except OSError as error:
                    busy = error
            if busy is not None:  # a killed process is in its group until its parent has looked
                if time.monotonic() > deadline:
                    raise DriverError(f"a control group of {id} stays busy", cause=f"{busy.filename}: {busy.strerror}")
                time.sleep(0.005)
        try:
            (each.path / label).rmdir()
        except OSError:
            continue  # other machines


def _groups(top: Path) -> Iterator[Path]:
    """A group and all below it, each before those inside it."""
    for directory, _, _ in os.walk(top):
        yield Path(directory)


def _make(group: Path) -> None:
    while not group.is_dir():
        with contextlib.suppress(FileNotFoundError):  # the last other machine took the label's group along
            group.mkdir(parents=True, exist_ok=True)


def _zombie(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def _write(path: Path, value: str) -> None:
    try:
        path.write_text(value)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
