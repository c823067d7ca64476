"""The endpoint's port: is it free, and if not, whose is it?"""

from __future__ import annotations

import os
import socket

from machine.agent.errors import Failed
from machine.agent.host import Host

TYPE_CHECKING = False  # `typing` would cost a converge with nothing to do 4 ms
if TYPE_CHECKING:
    from typing import Any

_ENGINE = "dockerd"


def wildcard() -> str:
    """The address that takes clients of both families, or of the one there is."""
    try:
        with socket.socket(socket.AF_INET6) as sock:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        return "[::]"
    except OSError:
        return "0.0.0.0"  # noqa: S104 (the endpoint is meant to be reached; it lets nobody in without a certificate)


def choose(host: Host, wanted: dict[str, Any], current: int | None, active: bool) -> tuple[int, bool]:
    """The port of the endpoint, and whether the engine must leave it first.

    Args:
        wanted: ``port``; ``fallback``: the one to take where an engine with TLS of its own has ``port`` (left out where
            the operator insists); ``take``: get ``port`` from the engine.
        current: the port so far.
        active: whether we listen on it now.

    Raises:
        Failed: ``port-taken``; it names who has it, where that can be seen.
    """
    port, fallback, take = int(wanted["port"]), wanted.get("fallback"), bool(wanted.get("take"))
    if active and current == port:
        return port, False
    if fallback is not None and current == int(fallback) and not take:
        port = int(fallback)  # an endpoint stays where it is until somebody asks for another place
        if not active:
            check_free(host, port)
        return port, False
    try:
        check_free(host, port)
    except Failed:
        if _name(_holder(host, port)) != _ENGINE:
            raise
        if take:
            return port, True
        if fallback is None:
            raise
        check_free(host, int(fallback))
        return int(fallback), False
    return port, False


def check_free(host: Host, port: int) -> None:
    """
    Raises:
        Failed: ``port-taken``; it names who has it, where that can be seen.
    """
    address = wildcard()
    family = socket.AF_INET6 if address == "[::]" else socket.AF_INET
    with socket.socket(family) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((address.strip("[]"), port))
            sock.listen(1)
        except OSError as error:
            holder = _holder(host, port)
            hint = f"stop what listens on port {port} there"
            if _name(holder) == _ENGINE:
                hint = "leave that port to the engine, or let the engine leave it: pymachine provision --take-port"
            raise Failed(
                "port-taken", f"port {port} of the host is taken by {holder}", error.strerror or "", hint
            ) from None


def _name(holder: str) -> str:
    return holder.partition(" ")[0]


def _holder(host: Host, port: int) -> str:
    """The name of the process that listens there, as far as /proc tells."""
    inodes = set()
    for table in ("tcp", "tcp6"):
        for line in (host.read(f"/proc/net/{table}") or b"").splitlines()[1:]:
            fields = line.split()
            if fields[3] == b"0A" and int(fields[1].rpartition(b":")[2], 16) == port:
                inodes.add("socket:[" + fields[9].decode() + "]")
    for process in filter(str.isdigit, os.listdir("/proc")):
        try:
            for descriptor in os.listdir(f"/proc/{process}/fd"):
                if os.readlink(f"/proc/{process}/fd/{descriptor}") in inodes:
                    name = (host.read(f"/proc/{process}/comm") or b"?").decode(errors="replace").strip()
                    return f"{name} (process {process})"
        except OSError:
            continue
    return "another program"
