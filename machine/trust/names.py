"""The names that certificates carry, and by which hosts are found."""

from __future__ import annotations

import ipaddress
import re

from machine.errors import UsageError

_DNS_LABEL = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)\Z")


def machine_uri(store: str, machine: str) -> str:
    """The URI name of one machine: in a client's certificate what it may reach, in the server's who it is."""
    return f"pymachine:{store}/machine/{machine}"


def role_uri(store: str, role: str) -> str:
    """The URI name of a role."""
    return f"pymachine:{store}/role/{role}"


def is_address(name: str) -> bool:
    """Whether a name is an IP address."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def check_san(name: str) -> str:
    """A name for the server's certificate as the operator gave it.

    Raises:
        UsageError: it is neither a DNS name (one leading ``*.`` is allowed) nor an IP address.
    """
    plain = name.strip("[]")
    if is_address(plain):
        return str(ipaddress.ip_address(plain))
    labels = name.removeprefix("*.").rstrip(".").split(".")
    if len(name) <= 253 and all(_DNS_LABEL.match(label) for label in labels):
        return name.rstrip(".")
    raise UsageError(
        f"--tls-san: {name!r} is neither a host name nor an IP address",
        hint="give it like --tls-san web1.example.org or --tls-san 203.0.113.7",
    )


def resolvable(host: str) -> str | bytes:
    """A host as the resolver and TLS take it: ASCII as it is.

    Python would encode it as an international name, for which it loads 8 ms of tables, and refuses some outright; any
    other than ASCII it must.
    """
    return host.encode("ascii") if host.isascii() else host


def host_in_url(address: str) -> str:
    """An address as it stands in a URL: IPv6 in brackets."""
    return f"[{address}]" if ":" in address else address


def endpoint_url(address: str, port: int) -> str:
    """The URL of an endpoint, as ``DOCKER_HOST`` wants it."""
    return f"tcp://{host_in_url(address)}:{port}"
