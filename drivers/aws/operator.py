"""The address under which the operator's computer is seen: who may reach a machine unless somebody else was named."""

from __future__ import annotations

import functools
import ipaddress
import socket
import time
import urllib.error
import urllib.parse
import urllib.request

from machine.errors import PreCheckFailed

_CHECKIP = "https://checkip.amazonaws.com/"
_SECONDS = 5.0
_FRESH = 60.0  # seconds


def operator_network(endpoint: str | None) -> str:
    """A network of one address, ``203.0.113.7/32``; asked once in a minute, for it changes when a laptop moves.

    Args:
        endpoint: of a service of one's own: then it is the local address that reaches it.

    Raises:
        PreCheckFailed: it cannot be found out. Nothing is ever opened to everybody instead.
    """
    return _found(endpoint, int(time.monotonic() / _FRESH))


@functools.lru_cache(maxsize=8)
def _found(endpoint: str | None, _when: int) -> str:
    if endpoint:
        return _towards(endpoint)
    try:
        with urllib.request.urlopen(_CHECKIP, timeout=_SECONDS) as answer:
            return str(ipaddress.ip_network(answer.read(100).decode("ascii", "replace").strip()))
    except (OSError, ValueError) as error:
        raise PreCheckFailed(
            "your own address is not known, and nobody else shall reach the machine",
            cause=f"{_CHECKIP} was asked: {error}",
            hint="name who may: --aws-allow-cidr 203.0.113.7 (or a network: 203.0.113.0/24)",
        ) from error


def _towards(endpoint: str) -> str:
    parts = urllib.parse.urlsplit(endpoint)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    try:
        family, kind, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, kind) as probe:
            probe.connect(address)  # of a datagram socket: nothing is sent, and the local address is chosen
            return str(ipaddress.ip_network(probe.getsockname()[0]))
    except (OSError, ValueError) as error:
        raise PreCheckFailed(
            f"your own address towards {endpoint} is not known",
            cause=str(error),
            hint="look at the URL; or name who may reach the machine: --aws-allow-cidr 203.0.113.7",
        ) from error
