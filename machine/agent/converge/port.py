"""The endpoint's port: is it free, and if not, whose is it?"""

from __future__ import annotations

import os
import socket

from machine.agent.errors import Failed
from machine.agent.host import Host


def wildcard() -> str:
    """The address that takes clients of both families, or of the one there is."""
    try:
        with socket.socket(socket.AF_INET6) as sock:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        return "[::]"
    except OSError:
        return "0.0.0.0"  # noqa: S104 (the endpoint is meant to be reached; it lets nobody in without a certificate)


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
            raise Failed(
                "port-taken",
                f"port {port} of the host is taken by {_holder(host, port)}",
                error.strerror or "",
                f"stop what listens on port {port} there; an engine with a TLS endpoint of its own is such a thing",
            ) from None


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
