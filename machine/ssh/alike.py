"""What ``ssh -G`` said of one host, for the next ones: asked of fifty hosts one by one it takes a third of a second.

Only where no line of the operator's configuration can tell one host from another, and only for a moment: a program that
lives long reads a configuration that has changed. Which files there are, OpenSSH says itself; whoever uses ``Match``,
``Host`` with a name, a jump or a ``%`` token is asked for each host.
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

_SECONDS = 10.0
Settings = dict[str, list[str]]
Ask = Callable[[str], "tuple[Settings, str]"]
"""Given a host: what ``ssh -G -v`` prints of it, and what it says about that."""

_PLAIN = re.compile(r"[a-z0-9][a-z0-9.-]*\Z")  # a name of which OpenSSH makes nothing else
_READ = re.compile(r"^debug1: Reading configuration data (.*?)\r?$", re.MULTILINE)
_LINE = re.compile(r"\s*([A-Za-z]+)\s*[\s=]\s*(.*?)\s*\Z")
_APART = ("match", "hostname", "proxyjump", "proxycommand")


@dataclass(frozen=True, slots=True)
class _Answer:
    settings: Settings | None  # None: hosts differ
    host: str  # of whom it was said
    files: dict[str, tuple[int, int] | None]
    until: float

    def holds(self) -> bool:
        return time.monotonic() < self.until and self.files == _looks(self.files)


class Alike:
    """The answers of this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._answers: dict[object, _Answer] = {}

    def settings(self, host: str, asked: object, ask: Ask) -> Settings:
        """What ``ssh -G`` says of a host.

        Args:
            asked: all else that the question has in it; only the host may differ.
        """
        if not _PLAIN.match(host):
            return ask(host)[0]
        with self._lock:  # many threads begin at once: one of them asks
            answer = self._answers.get(asked)
            if answer is None or not answer.holds():
                settings, said = ask(host)
                self._answers[asked] = _answer(host, settings, said)
                return settings
        return ask(host)[0] if answer.settings is None else {**answer.settings, "host": [host], "hostname": [host]}


def _answer(host: str, settings: Settings, said: str) -> _Answer:
    files = _looks((*_READ.findall(said), os.path.expanduser("~/.ssh/config")))
    apart = (
        settings.get("hostname") != [host]
        or any(host in value for key, values in settings.items() if key not in ("host", "hostname") for value in values)
        or not _READ.search(said)
        or any(_tells_apart(path) for path, look in files.items() if look is not None)
    )
    return _Answer(None if apart else settings, host, files, time.monotonic() + _SECONDS)


def _looks(paths: Iterable[str]) -> dict[str, tuple[int, int] | None]:
    """By which it shows that a file has changed; None: it is not there."""
    found: dict[str, tuple[int, int] | None] = {}
    for path in paths:
        try:
            status = os.stat(path)
        except OSError:
            found[path] = None
        else:
            found[path] = (status.st_mtime_ns, status.st_size)
    return found


def _tells_apart(path: str) -> bool:
    """Whether a file of OpenSSH's may say something else of another host; what is not understood may."""
    if not os.path.isfile(path):  # a pipe can be read once
        return True
    try:
        with open(path, encoding="utf-8") as file:
            lines = file.read().splitlines()
    except (OSError, ValueError):
        return True
    for line in lines:
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        found = _LINE.match(line)
        if found is None:
            return True
        word, value = found[1].lower(), found[2]
        if word in _APART or word.startswith("canonical") or "%" in value or (word == "host" and value != "*"):
            return True
    return False
