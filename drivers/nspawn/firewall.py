"""The firewall rules that machines need, each marked with a comment so that exactly ours are found again.

A Docker on the operator's machine sets the policy of FORWARD to DROP, and with ``bridge-nf-call-iptables`` even packets
between two machines of one bridge pass through that chain. Ours accept, at its head: Docker's own chains know nothing
of our bridge and would only return. INPUT is the operator's alone.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

from machine.drivers.nspawn import commands

_IPTABLES = ("iptables", "--wait", "10")


def rules(bridge: str, subnet: str, mark: str) -> list[tuple[str, str, list[str]]]:
    """Our rules: table, chain, and the rule itself."""
    comment = ["-m", "comment", "--comment", mark]
    answers = ["-m", "conntrack", "--ctstate", "RELATED,ESTABLISHED"]
    return [
        ("filter", "FORWARD", ["-i", bridge, *comment, "-j", "ACCEPT"]),
        ("filter", "FORWARD", ["-o", bridge, *answers, *comment, "-j", "ACCEPT"]),
        ("nat", "POSTROUTING", ["-s", subnet, "!", "-o", bridge, *comment, "-j", "MASQUERADE"]),
    ]


def ensure(bridge: str, subnet: str, mark: str) -> None:
    """Insert those of our rules that are missing.

    Raises:
        DriverError: iptables refuses.
    """
    for table, chain, rule in rules(bridge, subnet, mark):
        if not commands.succeeds([*_IPTABLES, "-t", table, "-C", chain, *rule]):
            commands.run([*_IPTABLES, "-t", table, "-I", chain, *rule], doing="add a firewall rule")


def remove(mark: str) -> None:
    """Delete every rule with our mark, also of an earlier subnet, also when there are several.

    Raises:
        DriverError: iptables refuses.
    """
    for table, chain in (("filter", "FORWARD"), ("nat", "POSTROUTING")):
        listing = commands.run([*_IPTABLES, "-t", table, "-S", chain], doing="read the firewall rules")
        for rule in marked(listing, mark):
            commands.run([*_IPTABLES, "-t", table, "-D", *rule], doing="delete a firewall rule")


def marked(listing: str, mark: str) -> Iterator[Sequence[str]]:
    """The rules with our mark in what ``iptables -S`` says, as arguments for ``-D``."""
    for line in listing.splitlines():
        words = shlex.split(line)
        if words[:1] == ["-A"] and "--comment" in words and words[words.index("--comment") + 1] == mark:
            yield words[1:]


def others_forward() -> bool:
    """Whether something else has set this computer up to forward packets: any chain of its own does."""
    listing = commands.run([*_IPTABLES, "-t", "filter", "-S"], doing="read the firewall rules")
    return any(line.startswith(("-N DOCKER", "-P FORWARD DROP")) for line in listing.splitlines())
