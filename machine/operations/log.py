"""A log file per operation, and ``--debug``: everything that was said, with secrets taken out.

Whoever has something to say uses the standard library's `logging` under the name ``machine``; this file decides where
it goes. Lines of operations that run side by side are kept apart by a context variable.
"""

from __future__ import annotations

import contextlib
import contextvars
import functools
import logging
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager

from machine.errors import PymachineError
from machine.store.files import Files

_KEPT_DAYS = 30
_LOOK_EVERY_SECONDS = 3600
_FORMAT = "%(asctime)s.%(msecs)03d %(levelname)-7s %(name)s: %(message)s"
_TIME = "%Y-%m-%d %H:%M:%S"
_LOGGER = logging.getLogger("machine")
# To the handlers of this logger only: the root's would show every line, and what no formatter of ours has redacted.
_LOGGER.propagate = False
_NOBODY = logging.NullHandler()  # or Python prints warnings that nobody takes
_LOGGER.addHandler(_NOBODY)
_PRIVATE_KEY = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL)
_USER_INFO = re.compile(r"(?<=://)[^/\s'\"?#]+@")

current: contextvars.ContextVar[object] = contextvars.ContextVar("operation", default=None)
_secrets: set[str] = set()


def hide(secret: str) -> None:
    """Never write this text into a log."""
    if secret:
        _secrets.add(secret)


def forget_secrets() -> None:
    """Nothing is hidden any more but what looks like a secret by itself: for a process that begins anew."""
    _secrets.clear()


def redacted(text: str) -> str:
    """A text without private keys, passwords in URLs, and whatever `hide` was told."""
    if "PRIVATE KEY" in text:  # nearly every line has neither, and each event comes here twice
        text = _PRIVATE_KEY.sub("[private key]", text)
    if "://" in text:
        text = _USER_INFO.sub("[hidden]@", text)
    for secret in sorted(_secrets, key=len, reverse=True):
        text = text.replace(secret, "[hidden]")
    return text


class RedactingFormatter(logging.Formatter):
    """Formats a record, traceback included, and takes secrets out of the whole of it."""

    def __init__(self) -> None:
        super().__init__(_FORMAT, _TIME)
        self.converter = time.gmtime

    def format(self, record: logging.LogRecord) -> str:
        """One record as text."""
        return redacted(super().format(record))


@functools.lru_cache(maxsize=2)
def _second(now: int) -> str:
    return time.strftime(_TIME, time.gmtime(now))


class _File(logging.FileHandler):
    """The log of one operation."""

    def __init__(self, path: str) -> None:
        super().__init__(path, encoding="utf-8", errors="backslashreplace")
        self.setFormatter(RedactingFormatter())

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """A log that cannot be written is done without."""

    def say(self, name: str, text: str) -> None:
        """A line as `_FORMAT` has it, without a record of it."""
        now = time.time()
        line = f"{_second(int(now))}.{int(now % 1 * 1000):03d} INFO    {name}: {text}{self.terminator}"
        self.acquire()
        try:
            if self.stream is not None:
                self.stream.write(line)
                self.stream.flush()
        except OSError:
            pass  # as for a record
        finally:
            self.release()


class _Sorter(logging.Handler):
    """Gives each record to the one handler that wants it: offered to all of them, a fleet's would cost the square."""

    def __init__(self) -> None:
        super().__init__()
        self._handlers: dict[int, logging.Handler] = {}

    def add(self, operation: object, handler: logging.Handler) -> None:
        """What is said in the context of an operation goes to this handler from now on."""
        self._handlers[id(operation)] = handler
        _LOGGER.addHandler(self)  # once, however often

    def remove(self, operation: object) -> None:
        """It has ended."""
        self._handlers.pop(id(operation), None)

    def of(self, operation: object) -> logging.Handler | None:
        """The handler of an operation."""
        return self._handlers.get(id(operation))

    def handle(self, record: logging.LogRecord) -> bool:
        """Without a lock of its own: operations do not wait for each other."""
        handler = self._handlers.get(id(current.get()))
        return handler is not None and bool(handler.handle(record))


_sorter = _Sorter()
_QUIET = (_NOBODY, _sorter)
_looked_for_old: dict[str, float] = {}  # a directory, and when it is looked at again


@contextmanager
def log_file(logs: Files, name: str, operation: object) -> Iterator[str]:
    """Log into a file of its own what is said in this context; yields its path, or "" where there can be none.

    A log that cannot be written is done without: the operation matters more.
    """
    token = current.set(operation)
    handler: logging.Handler
    try:
        _drop_old(logs)
        logs.touch(name)  # an operation that goes on appends to what its first attempt said
        handler = _File(logs.path(name))
        path = logs.path(name)
    except (OSError, PymachineError):
        handler, path = logging.NullHandler(), ""
    if _LOGGER.level != logging.DEBUG:  # setting it has all loggers think anew
        _LOGGER.setLevel(logging.DEBUG)
    _sorter.add(operation, handler)
    try:
        yield path
    finally:
        _sorter.remove(operation)
        with contextlib.suppress(OSError):  # a full disk: the last lines do not get into it
            handler.close()
        current.reset(token)


def say(operation: object, name: str, text: str) -> None:
    """One line of an operation, for its log: most of what is logged, and a record of it costs more than the line.

    Args:
        name: of the module that says it.
        text: without secrets.
    """
    others = [handler for handler in _LOGGER.handlers if handler not in _QUIET]
    if others:
        logging.getLogger(name).info("%s", text)
    elif isinstance(file := _sorter.of(operation), _File):
        file.say(name, text)


def log_to_stderr() -> None:
    """``--debug``: show on stderr what goes into the log files."""
    handler = logging.StreamHandler()
    handler.setFormatter(RedactingFormatter())
    _LOGGER.setLevel(logging.DEBUG)
    _LOGGER.addHandler(handler)


def _drop_old(logs: Files) -> None:
    """Now and then: each of a thousand operations would look at the files of all of them."""
    if time.monotonic() < _looked_for_old.get(logs.directory, 0.0):
        return
    _looked_for_old[logs.directory] = time.monotonic() + _LOOK_EVERY_SECONDS
    oldest = time.time() - _KEPT_DAYS * 86400
    try:
        for entry in os.scandir(logs.directory):
            if entry.stat().st_mtime < oldest:
                os.unlink(entry.path)
    except OSError:
        return
