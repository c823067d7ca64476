"""Which name servers a machine asks: the operator's, except those that only the operator can reach."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from pathlib import Path

MARK = "# made by pymachine; a file without this line is left alone"

# systemd-resolved shows programs only itself at 127.0.0.53, and keeps the real ones in the second file.
_PLACES = (Path("/etc/resolv.conf"), Path("/run/systemd/resolve/resolv.conf"))


def choose(texts: Iterable[str]) -> str:
    """A machine's ``resolv.conf`` out of candidates: the first that names a server which is not loopback.

    IPv6 servers are left out: machines have IPv4 only. With none left, names do not resolve, and the file says why.
    """
    for text in texts:
        servers, other = [], []
        for line in text.splitlines():
            words = line.split()
            if len(words) < 2 or words[0].startswith(("#", ";")):
                continue
            if words[0] == "nameserver":
                if _reachable(words[1]):
                    servers.append(f"nameserver {words[1]}")
            elif words[0] in ("search", "options", "domain"):
                other.append(" ".join(words))
        if servers:
            return "\n".join([MARK, *servers, *other]) + "\n"
    return f"{MARK}\n# this computer has no name server that a machine could reach\n"


def operator_resolvers() -> str:
    """A machine's ``resolv.conf`` on this computer, now."""
    texts = []
    for place in _PLACES:
        try:
            texts.append(place.read_text(encoding="utf-8", errors="replace"))
        except OSError:
            continue
    return choose(texts)


def _reachable(server: str) -> bool:
    try:
        address = ipaddress.ip_address(server)
    except ValueError:
        return False
    return address.version == 4 and not address.is_loopback and not address.is_unspecified
