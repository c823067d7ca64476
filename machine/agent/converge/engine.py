"""The container engine: asked through its API, never guessed from a path or a package. Started, or installed."""

from __future__ import annotations

import json
import os
import re
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
_SERVER = re.compile(r"Docker/(\S+) \(\w+\)")  # of Docker Engine's answers; Podman's say "Libpod/…"


class Engine:
    """An engine that answers."""

    __slots__ = ("api_version", "fresh", "group", "kind", "package", "package_version", "path", "source", "version")

    def __init__(self, path: str, said: dict[str, Any], group: int) -> None:
        self.path = path  # of its socket, as the host sees it
        self.group = group  # who may use that socket
        names = [str(part.get("Name", "")) for part in said.get("Components") or () if isinstance(part, dict)]
        self.kind = "podman" if any(name.startswith("Podman") for name in names) else "docker"
        self.version = str(said.get("Version", "unknown"))
        self.api_version = str(said.get("ApiVersion", "unknown"))
        self.source = "found"
        self.package: str | None = None
        self.package_version: str | None = None
        self.fresh = False  # installed just now: nobody's containers run in it

    @property
    def title(self) -> str:
        """For people."""
        return f"{'Podman' if self.kind == 'podman' else 'Docker Engine'} {self.version}"


def ensure(host: Host, wire: Wire, wanted: dict[str, Any], remembered: dict[str, Any], engine: Engine | None) -> Engine:
    """The engine, made to answer.

    Args:
        wanted: ``source`` (auto, found, docker, distribution), and perhaps ``version`` and ``repository``: of an engine
            that is installed now. One that is there is checked the first time, and never replaced.
        remembered: what `memory` gave at the last converge.
        engine: what `find` found just now.

    Raises:
        Failed: there is none and none can be installed, it is another one than wanted, or it does not start.
    """
    wire.begin("engine")
    source = "found"
    if engine is None:
        started = host.run("systemctl", "start", "docker.service", seconds=_START_SECONDS)
        if started.code == 5:  # there is no such unit
            return _installed(host, wire, wanted)
        if started.code != 0:
            raise Failed(
                "engine-start",
                "the container engine on the host does not start",
                last_words(host) or started.last_words(),
                "look at it on the host: journalctl -u docker.service",
            )
        wire.progress("started the engine that was installed and not running")
        engine, source = wait(host, wire), "started"
    if not remembered and (wanted.get("version") or wanted["source"] not in ("auto", "found")):
        from machine.agent.converge import packages

        packages.check_found(host, engine.title, engine.version, wanted)
    engine.source, engine.package = remembered.get("source", source), remembered.get("package")
    engine.package_version = remembered.get("package_version")
    if source == "started":
        wire.done(f"started {engine.title}")
    else:
        wire.done(f"using {engine.title} as found" if engine.source == "found" else f"{engine.title} answers")
    return engine


def _installed(host: Host, wire: Wire, wanted: dict[str, Any]) -> Engine:
    if wanted["source"] == "found":
        raise Failed(
            "engine-missing",
            "there is no container engine on the host, and none may be installed (--engine-source found)",
            hint="install one on the host yourself, or let it be installed: --engine-source auto",
        )
    from machine.agent.converge import packages

    source, package = packages.install_engine(host, wire, wanted)
    host.run("systemctl", "start", "docker.service", seconds=_START_SECONDS)
    engine = wait(host, wire)
    engine.source, engine.package, engine.fresh = source, package, True
    engine.package_version = packages.installed_packages(host).get(package)
    whose = "Docker's own package" if source == "docker" else "the distribution's package"
    wire.done(f"installed {engine.title} from {whose} {package} {engine.package_version or ''}")
    return engine


def memory(engine: Engine) -> dict[str, Any]:
    """What a later converge cannot see: where the engine came from."""
    known = {"source": engine.source, "package": engine.package}
    return {**known, "package_version": engine.package_version} if engine.package_version else known


def last_words(host: Host) -> str:
    """The end of what the engine said: why it does not start."""
    for only in (("-t", "dockerd"), ()):  # its own words first; then systemd's about it
        ran = host.run(
            "journalctl", "-u", "docker.service", *only, "-q", "-n", "3", "-o", "cat", "--no-pager", merge=True
        )
        if ran.out.strip():
            return ran.last_words(3)
    return ""


def find(host: Host, seconds: float = _ANSWER_SECONDS) -> Engine | None:
    """The engine that answers on this host now; None when none does."""
    for path in SOCKETS:
        try:
            said = _said(host.path(path), seconds)
            if not isinstance(said, dict):
                raise ValueError("not an engine")
        except (OSError, ValueError):
            continue
        return Engine(path, said, os.stat(host.path(path)).st_gid)
    return None


def _said(path: str, seconds: float) -> Any:
    """What ``/version`` says, as far as `Engine` reads it. It costs Docker Engine two processes (``runc --version``,
    ``docker-init --version``), so that one is asked for what the headers of its ``/_ping`` say as well.
    """
    try:
        headers, _ = _get(path, "/_ping", seconds)
    except ValueError:
        headers = {}
    match = _SERVER.fullmatch(headers.get("server", ""))
    if match and headers.get("api-version"):
        return {"Version": match.group(1), "ApiVersion": headers["api-version"]}
    return ask(path, "/version", seconds)


def wait(host: Host, wire: Wire, seconds: float = _START_SECONDS) -> Engine:
    """Wait for the engine that was started.

    Raises:
        Failed: ``engine-start``: it does not answer.
    """
    wire.progress("waiting for the engine to answer")
    until = time.monotonic() + seconds
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


def ask(path: str, page: str, seconds: float = _ANSWER_SECONDS) -> Any:
    """One question, answered in JSON."""
    return json.loads(_get(path, page, seconds)[1])


def _get(path: str, page: str, seconds: float) -> tuple[dict[str, str], bytes]:
    """Headers, by their names in small letters, and body. In HTTP/1.0, where the answer ends with the connection; h11
    would cost more than the question.
    """
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(seconds)
        sock.connect(path)
        sock.sendall(f"GET {page} HTTP/1.0\r\nHost: docker\r\n\r\n".encode())
        answer = b""
        while len(answer) < 1 << 22:
            piece = sock.recv(65536)
            if not piece:
                break
            answer += piece
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    if " 200 " not in first + " ":
        raise ValueError("not an engine")
    fields = (line.partition(":") for line in lines)
    return {name.strip().lower(): value.strip() for name, _, value in fields}, body
