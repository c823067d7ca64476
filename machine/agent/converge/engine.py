"""The container engine: asked through its API, never guessed from a path or a package. Started, or installed."""

from __future__ import annotations

import json
import os
import socket
import time

from machine.agent.errors import Failed
from machine.agent.host import Host
from machine.agent.wire import Wire

TYPE_CHECKING = False  # `typing` would cost a converge with nothing to do 4 ms
if TYPE_CHECKING:
    from typing import Any

SOCKETS = ("/run/docker.sock", "/var/run/docker.sock")
_ANSWER_SECONDS = 20  # to one question; an engine that is started by its socket takes seconds
_START_SECONDS = 90


class Engine:
    """An engine that answers."""

    __slots__ = ("api_version", "group", "kind", "package", "path", "source", "version")

    def __init__(self, path: str, said: dict[str, Any], group: int) -> None:
        self.path = path  # of its socket, as the host sees it
        self.group = group  # who may use that socket
        names = [str(part.get("Name", "")) for part in said.get("Components") or () if isinstance(part, dict)]
        self.kind = "podman" if any(name.startswith("Podman") for name in names) else "docker"
        self.version = str(said.get("Version", "unknown"))
        self.api_version = str(said.get("ApiVersion", "unknown"))
        self.source = "found"
        self.package: str | None = None

    @property
    def title(self) -> str:
        """For people."""
        return f"{'Podman' if self.kind == 'podman' else 'Docker Engine'} {self.version}"


def ensure(host: Host, wire: Wire, remembered: dict[str, Any], engine: Engine | None) -> Engine:
    """The engine, made to answer.

    Args:
        engine: what `find` found just now.
        remembered: what `memory` gave at the last converge.

    Raises:
        Failed: there is none and none can be installed, or it does not start.
    """
    wire.begin("engine")
    if engine is not None:
        engine.source, engine.package = remembered.get("source", "found"), remembered.get("package")
        wire.done(f"using {engine.title} as found" if engine.source == "found" else f"{engine.title} answers")
        return engine
    started = host.run("systemctl", "start", "docker.service", seconds=_START_SECONDS)
    if started.code == 0:
        wire.progress("started the engine that was installed and not running")
        engine = _await(host, wire)
        engine.source, engine.package = remembered.get("source", "started"), remembered.get("package")
        wire.done(f"started {engine.title}")
        return engine
    if started.code != 5:  # 5: there is no such unit
        log = host.run("journalctl", "-u", "docker.service", "-n", "5", "-o", "cat", "--no-pager", merge=True)
        raise Failed(
            "engine-start",
            "the container engine on the host does not start",
            log.last_words(5) or started.last_words(),
            "look at it on the host: journalctl -u docker.service",
        )
    from machine.agent.converge import packages

    package = packages.install_engine(host, wire)
    host.run("systemctl", "start", "docker.service", seconds=_START_SECONDS)
    engine = _await(host, wire)
    engine.source, engine.package = "distribution", package
    wire.done(f"installed {engine.title} from the distribution's package {package}")
    return engine


def memory(engine: Engine) -> dict[str, Any]:
    """What a later converge cannot see: where the engine came from."""
    return {"source": engine.source, "package": engine.package}


def find(host: Host, seconds: float = _ANSWER_SECONDS) -> Engine | None:
    """The engine that answers on this host now; None when none does."""
    for path in SOCKETS:
        try:
            said = _ask(host.path(path), "/version", seconds)
        except (OSError, ValueError):
            continue
        return Engine(path, said, os.stat(host.path(path)).st_gid)
    return None


def _await(host: Host, wire: Wire) -> Engine:
    wire.progress("waiting for the engine to answer")
    until = time.monotonic() + _START_SECONDS
    while time.monotonic() < until and host.left():
        engine = find(host, 5)
        if engine is not None:
            return engine
        time.sleep(0.1)
    raise Failed(
        "engine-start",
        "the container engine was started and does not answer",
        hint="look at it on the host: journalctl -u docker.service",
    )


def _ask(path: str, page: str, seconds: float) -> dict[str, Any]:
    """One question in HTTP/1.0, where the answer ends with the connection; h11 would cost more than the question."""
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(seconds)
        sock.connect(path)
        sock.sendall(f"GET {page} HTTP/1.0\r\nHost: docker\r\n\r\n".encode())
        answer = b""
        while len(answer) < 1 << 20:
            piece = sock.recv(65536)
            if not piece:
                break
            answer += piece
    head, _, body = answer.partition(b"\r\n\r\n")
    if b" 200 " not in head.partition(b"\r\n")[0] + b" ":
        raise ValueError("not an engine")
    said = json.loads(body)
    if not isinstance(said, dict):
        raise ValueError("not an engine")
    return said
