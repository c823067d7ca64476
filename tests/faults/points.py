"""The points at which a process can be killed, found by running it: nothing is listed, so nothing can be forgotten.

- every write transaction of the store: before it begins, before it commits, after it has
- everything done to files: Python's own audit events tell of each, before it happens
- every call of a driver, of its provider's SDK and of the recorder it was given: before and after
- every piece of the bootstrap stream: before and after it is sent, before and after it is received
- every script on a host that is scripted: before it runs, and after it has

A point's name says what happens there and how often it has happened: ``journal.step(instance, begun) #1: commit``.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

LOCKED = " (under the lock)"
_FILE_EVENTS = ("os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.chmod", "os.link", "os.symlink", "os.truncate")
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class _Points:
    """Counts what is passed, and acts at the one that was chosen."""

    def __init__(self) -> None:
        self.target: str | None = None
        self.action = ""
        self.record = -1  # the descriptor of a file
        self.counts: Counter[str] = Counter()
        self.locked = False  # the store's write lock is held
        self._busy = threading.local()

    def passed(self, name: str, moment: str) -> None:
        """One point."""
        if getattr(self._busy, "now", False):
            return
        self._busy.now = True
        try:
            if moment in ("before", ""):
                self.counts[name] += 1
            point = f"{name} #{self.counts[name]}" + (f": {moment}" if moment else "") + (LOCKED if self.locked else "")
            if self.record >= 0:
                os.write(self.record, f"{self._fingerprint()} {point}\n".encode())
            if point == self.target:
                self._act()
        finally:
            self._busy.now = False

    def _fingerprint(self) -> str:
        """Of every file of the world: where it is the same at two points, a death leaves the same bytes at both."""
        found: list[tuple[object, ...]] = []
        for at, directories, names in os.walk(os.environ["WORLD"]):
            found += [(at, name) for name in directories]
            for name in names:
                status = os.stat(os.path.join(at, name))
                if name.endswith(".log"):  # nothing reads it but people
                    found.append((at, name))
                elif not name.endswith("-shm"):  # of SQLite; rebuilt from the log by whoever comes next
                    found.append((at, name, status.st_ino, status.st_size, status.st_mtime_ns, status.st_mode))
        return f"{hash(tuple(sorted(found, key=str))) & 0xFFFFFFFF:08x}"

    def _act(self) -> None:
        self.target = None
        if self.action == "twice":  # Ctrl-C, and again at once
            os.kill(os.getpid(), signal.SIGINT)
            self._busy.now = False
            signal.raise_signal(signal.SIGINT)
        else:
            os.kill(os.getpid(), getattr(signal, f"SIG{self.action.upper()}"))


_points = _Points()


def install(target: str | None, action: str, record: Path | None) -> None:
    """Let this process do something at a point, or only write down which ones it comes through."""
    if target is None and record is None:
        return
    _points.target, _points.action = target, action
    if record is not None:
        _points.record = os.open(record, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    _watch_transactions()
    _watch_calls()
    own = str(record.parent) if record is not None else ""
    home = os.environ["WORLD"]
    sys.addaudithook(lambda event, arguments: _audit(event, arguments, own, home))


def _audit(event: str, arguments: tuple[Any, ...], own: str, home: str) -> None:
    if event == "open":
        path, _, flags = arguments
        if not isinstance(path, str) or not isinstance(flags, int) or not flags & _WRITING:
            return
    elif event in _FILE_EVENTS:
        path = arguments[0]
    else:
        return
    path = os.fsdecode(path) if isinstance(path, (str, bytes, os.PathLike)) else ""
    if os.path.isabs(path):
        if not path.startswith(home) or (own and path.startswith(own)):
            return
        path = os.path.relpath(path, home)
    if path.partition(os.sep)[0] in ("cloud", "host"):
        return  # the other side's
    _points.passed(f"{event}({_plain(path)})", "")


def _plain(path: str) -> str:
    """A path without what is random in it."""
    directory, name = os.path.split(path)
    if name.startswith("."):  # a temporary file: .NAME.RANDOM
        name = name.rpartition(".")[0] + ".*"
    return os.path.join(directory, name)


def _watch_transactions() -> None:
    from machine.store import database

    original = database.Database.write

    @contextmanager
    def write(self: database.Database, **how: Any) -> Iterator[Any]:
        name = _writer()
        _points.passed(name, "before")
        with original(self, **how) as db:
            _points.locked = True
            yield db
            _points.passed(name, "commit")
            _points.locked = False
        _points.passed(name, "after")

    database.Database.write = write  # type: ignore[method-assign]


def _writer() -> str:
    """Who writes: the method of the store that asked for the transaction, with the step where it is told one."""
    frame = sys._getframe(2)
    while frame.f_globals["__name__"] in (__name__, "contextlib") or frame.f_code.co_name in ("_write", "catch_up"):
        frame = frame.f_back  # type: ignore[assignment]
    name = f"{frame.f_globals['__name__'].rpartition('.')[2]}.{frame.f_code.co_name}"
    if frame.f_code.co_name == "step":
        return f"{name}({frame.f_locals['name']}, {frame.f_locals['status']})"
    return name


def _watch_calls() -> None:
    from machine.driver import driver_names, load_driver
    from machine.operations.operation import Step
    from machine.ssh.channel import CommandChannel
    from machine.testing.cloud import MemoryCloud
    from tests.faults.scripted import ScriptedChannel, ScriptedShell

    for name in driver_names():
        try:
            driver = type(load_driver(name))
        except Exception:  # noqa: BLE001 - a driver that cannot be loaded is not this test's business
            continue
        _watch(driver, f"driver.{name}")
    _watch(MemoryCloud, "provider", leave=("instances", "calls", "lose", "fail", "demand_key"))
    _watch(Step, "recorder")
    for channel in (CommandChannel, ScriptedChannel):
        _watch(channel, "stream", only=("send", "recv"))
    _watch(ScriptedShell, "shell", only=("close_stdin",))


def _watch(owner: type, prefix: str, *, only: tuple[str, ...] = (), leave: tuple[str, ...] = ()) -> None:
    for name, member in list(vars(owner).items()):
        if name.startswith("_") or not callable(member) or isinstance(member, type) or name in leave:
            continue
        if not only or name in only:
            setattr(owner, name, _around(member, f"{prefix}.{name}"))


def _around(call: Callable[..., Any], name: str) -> Callable[..., Any]:
    def watched(*arguments: Any, **named: Any) -> Any:
        _points.passed(name, "before")
        answer = call(*arguments, **named)
        _points.passed(name, "after")
        return answer

    return watched
