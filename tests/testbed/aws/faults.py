"""What goes wrong with a call, and when: before its effect, after it, or in the middle of a launch."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.testbed.aws.protocol import AwsRequest, failure
from tests.testbed.aws.world import WORLD

# Code -> HTTP status and message. What is not here is a 400.
KNOWN = {
    "AuthFailure": (401, "AWS was not able to validate the provided access credentials"),
    "ExpiredToken": (403, "The security token included in the request is expired"),
    "InsufficientInstanceCapacity": (
        500,
        "We currently do not have sufficient capacity in the Availability Zone you requested.",
    ),
    "InternalError": (500, "An internal error has occurred"),
    "InvalidClientTokenId": (403, "The security token included in the request is invalid."),
    "MaxSpotInstanceCountExceeded": (400, "Max spot instance count exceeded"),
    "RequestExpired": (400, "Request has expired."),
    "RequestLimitExceeded": (503, "Request limit exceeded."),
    "SpotMaxPriceTooLow": (400, "Your Spot request price is lower than the minimum required Spot request price."),
    "Throttling": (400, "Rate exceeded"),
    "ThrottlingException": (400, "Rate exceeded"),
    "Unavailable": (503, "The service is unavailable. Please try again shortly."),
    "UnauthorizedOperation": (403, "You are not authorized to perform this operation."),
    "Unsupported": (400, "The requested configuration is currently not supported."),
}
# These are decided by the launch itself: after the token and the parameters were looked at, which they bind.
_OF_THE_LAUNCH = ("InsufficientInstanceCapacity", "MaxSpotInstanceCountExceeded", "SpotMaxPriceTooLow", "Unsupported")

Reply = tuple[int, Mapping[str, str], Iterable[bytes]]
Predicate = Callable[[AwsRequest], bool]


class Dropped(ConnectionError):
    """The connection was closed without a reply."""


@dataclass
class Rule:
    """One thing that goes wrong."""

    action: str
    service: str | None
    code: str | None
    message: str | None
    nth: int
    times: int | None
    after: bool
    drop: bool
    hang: float
    kill: int | Callable[[], int] | bool
    when: Predicate
    seen: int = 0
    done: int = 0

    def hits(self, request: AwsRequest) -> bool:
        """Whether it is this call's turn; counts it."""
        if self.action not in ("*", request.action) or self.service not in (None, request.service):
            return False
        if not self.when(request):
            return False
        self.seen += 1
        if self.seen < self.nth or (self.times is not None and self.done >= self.times):
            return False
        self.done += 1
        return True


@dataclass
class Faults:
    """The rules in force."""

    rules: list[Rule] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _over: threading.Event = field(default_factory=threading.Event)

    def reset(self) -> None:
        """No rules; a call that hangs is dropped, so that it has no effect on what comes after."""
        self.rules.clear()
        self._over.set()
        self._over = threading.Event()

    def answer(self, request: AwsRequest, environ: MutableMapping[str, Any], act: Callable[[], Reply]) -> Reply:
        """The reply to a call: the cloud's, unless a rule has it otherwise."""
        with self._lock:
            rule = next((rule for rule in self.rules if rule.hits(request)), None)
        if rule is None:
            return act()
        if rule.after:
            act()
            return self._fail(rule, request, environ)
        if rule.code in _OF_THE_LAUNCH and request.action == "RunInstances":
            status, message = KNOWN[rule.code]
            with WORLD.lock:
                WORLD.refusal = (rule.code, rule.message or message, status)
                try:
                    return act()
                finally:
                    WORLD.refusal = None
        if rule.hang and not (rule.code or rule.drop or rule.kill):
            if self._over.wait(rule.hang):
                raise _drop(environ)
            return act()
        return self._fail(rule, request, environ)

    def _fail(self, rule: Rule, request: AwsRequest, environ: MutableMapping[str, Any]) -> Reply:
        if rule.hang:
            self._over.wait(rule.hang)
        if rule.kill:
            _kill(rule.kill, environ)
        if rule.code is None:
            raise _drop(environ)
        status, message = KNOWN.get(rule.code, (400, f"{rule.code}, as the test wants it"))
        status, headers, body = failure(request.service, rule.code, rule.message or message, status)
        return status, headers, [body]


def _drop(environ: Mapping[str, Any]) -> Dropped:
    connection: socket.socket = environ["werkzeug.socket"]
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass  # the caller was faster
    return Dropped()


def predicate(when: Mapping[str, Any] | Predicate | None) -> Predicate:
    """A condition on a request, from one or from the parameters that it must have (their flat names)."""
    if when is None:
        return lambda request: True
    if callable(when):
        return when
    return lambda request: all(request.params.get(name) == value for name, value in when.items())


def _kill(whom: int | Callable[[], int] | bool, environ: Mapping[str, Any]) -> None:
    pid = _caller(int(environ["REMOTE_PORT"])) if whom is True else whom if isinstance(whom, int) else whom()
    if pid in (None, 0, 1, os.getpid()):
        raise RuntimeError(f"a rule wants process {pid} killed, which is the test itself or nobody")
    os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while Path(f"/proc/{pid}").exists() and not _ended(pid) and time.monotonic() < deadline:
        time.sleep(0.002)


def _ended(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True


def _caller(port: int) -> int | None:
    """The process of this computer that has a connection from this local port."""
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        fields = line.split()
        if int(fields[1].partition(":")[2], 16) == port and fields[9] != "0":
            name = f"socket:[{fields[9]}]"
            for link in Path("/proc").glob("[0-9]*/fd/*"):
                try:
                    if os.readlink(link) == name:
                        return int(link.parts[2])
                except OSError:
                    continue
    return None
