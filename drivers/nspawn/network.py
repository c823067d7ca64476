"""The machines' network: one bridge with a subnet of its own, an address for each machine, a way out.

A machine's interface is one end of a pair; the other end is in its network namespace, which nothing keeps but the
machine's own processes. So with the last process of a machine its interface is gone, whoever killed it.
"""

from __future__ import annotations

import ipaddress
import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from machine.driver import Recorder
from machine.drivers.nspawn import commands, firewall, records, sysctls
from machine.drivers.nspawn.layout import Layout
from machine.errors import DriverError

# None is in a pool of Docker's (172.16/12, 192.168/16), the last resort aside, or a common default of other software.
CANDIDATES = (
    "10.209.83.0/24", "10.221.83.0/24", "10.187.83.0/24", "10.171.83.0/24", "10.149.83.0/24", "192.168.183.0/24",
)  # fmt: skip


def choose_subnet(routes: Iterable[str]) -> str:
    """The first candidate that no route of this computer touches.

    Raises:
        DriverError: all are taken.
    """
    taken = list(routes)
    for candidate in CANDIDATES:
        if conflict(candidate, taken) is None:
            return candidate
    raise DriverError(
        "no network is free for the machines",
        cause=f"this computer has routes into each of {', '.join(CANDIDATES)}",
        hint="name a free private network: --nspawn-subnet 10.20.30.0/24",
    )


def conflict(subnet: str, routes: Iterable[str]) -> str | None:
    """The first of these routes that touches a subnet; None: none does."""
    wanted = ipaddress.IPv4Network(subnet)
    return next((route for route in routes if wanted.overlaps(ipaddress.IPv4Network(route, strict=False))), None)


def routes(bridge: str) -> list[str]:
    """This computer's IPv4 routes, default and our own bridge's aside."""
    found = []
    for route in _ip_json("-4", "route", "show", "table", "all"):
        destination = str(route.get("dst", "default"))
        if route.get("dev") == bridge or route.get("type") in ("local", "broadcast", "multicast"):
            continue
        if destination in ("default", "0.0.0.0/0", "0.0.0.0/1", "128.0.0.0/1"):
            continue  # a VPN's two halves of everything are a default route too
        found.append(destination)
    return found


def gateway(subnet: str) -> str:
    """The bridge's own address."""
    return str(ipaddress.IPv4Network(subnet)[1])


def free_address(subnet: str, taken: Iterable[str]) -> str:
    """The lowest address that no machine has.

    Raises:
        DriverError: the subnet is full.
    """
    used = {*taken, gateway(subnet)}
    for address in ipaddress.IPv4Network(subnet).hosts():
        if str(address) not in used:
            return str(address)
    raise DriverError(f"the network {subnet} has no address left", hint="remove a machine: pymachine rm NAME")


def hardware_address(address: str) -> str:
    """An interface's MAC for an address: always the same one, so that no neighbour's memory of it is ever wrong."""
    return "02:70:" + ":".join(f"{byte:02x}" for byte in ipaddress.IPv4Address(address).packed)


def ensure(layout: Layout, subnet: str | None, record: Recorder) -> str:
    """Make bridge, rules and settings what machines need, whatever of it is there. The caller holds the state lock.

    Args:
        layout: whose.
        subnet: the one asked for; None: the remembered one, else a free one.
        record: of the operation that asks.

    Returns:
        The subnet that is in use, which is the remembered one while there are machines.

    Raises:
        DriverError: none is free, or a tool refuses.
    """
    known = records.read_network(layout)
    if known is None:
        known = records.Network(subnet=subnet or choose_subnet(routes(layout.bridge)))
        records.write_network(layout, known)
    sysctls.hold(layout.label, sum(1 for _ in records.all_records(layout)) + 1, record)
    _bridge(layout.bridge, known.subnet)
    firewall.ensure(layout.bridge, known.subnet, layout.label)
    return known.subnet


def remove(layout: Layout, record: Recorder) -> None:
    """Undo all that ``ensure`` did. The caller holds the state lock and there is no machine any more.

    Something that still hangs on the bridge is of machines that are recorded elsewhere (another root directory on this
    kernel): the bridge, its rules and settings are theirs now, and go with them.
    """
    records.forget(layout.network)
    if _ports(layout.bridge):
        return
    if exists(layout.bridge):
        commands.run(["ip", "link", "delete", layout.bridge], doing="remove the bridge")
    firewall.remove(layout.label)
    sysctls.let_go(layout.label, record, forwarding_needed=firewall.others_forward())


def attach(layout: Layout, id: str, address: str, pid: int) -> None:
    """Give the network namespace of a process an interface ``eth0``, and put its other end into the bridge."""
    detach(id)
    mac = hardware_address(address)
    batch = (
        f"link add name {id} type veth peer name eth0 address {mac} netns {pid}\n"
        f"link set {id} master {layout.bridge} up\n"
    )
    commands.run(["ip", "-batch", "-"], input=batch, doing="make the machine's network interface")


def detach(id: str) -> None:
    """Remove a machine's interface, if its namespace has not taken it along yet."""
    if exists(id):
        # The kernel clears a dead namespace in its own time: it may be gone between the two lines.
        commands.succeeds(["ip", "link", "delete", id])


def exists(interface: str) -> bool:
    """Whether this computer has an interface of this name."""
    return Path("/sys/class/net", interface).exists()


def mtu() -> int:
    """The packet size of the way out: a machine's must not be larger."""
    for route in _ip_json("-4", "route", "show", "default"):
        try:
            return min(1500, int(Path("/sys/class/net", str(route.get("dev")), "mtu").read_text()))
        except (OSError, ValueError):
            continue
    return 1500


def _ports(bridge: str) -> list[str]:
    try:
        return os.listdir(f"/sys/class/net/{bridge}/brif")
    except FileNotFoundError:
        return []


def _bridge(bridge: str, subnet: str) -> None:
    address = f"{gateway(subnet)}/{ipaddress.IPv4Network(subnet).prefixlen}"
    batch = []
    if not exists(bridge):
        batch.append(f"link add name {bridge} type bridge stp_state 0 forward_delay 0")
        batch.append(f"link set {bridge} addrgenmode none")  # IPv4 only: no link-local IPv6 towards the operator
        has: Sequence[str] = ()
    else:
        has = [
            f"{info.get('local')}/{info.get('prefixlen')}"
            for link in _ip_json("-4", "address", "show", "dev", bridge)
            for info in link.get("addr_info", [])
        ]
    if address not in has:
        batch.append(f"address add {address} dev {bridge}")
    batch.append(f"link set {bridge} up")
    commands.run(["ip", "-batch", "-"], input="\n".join(batch) + "\n", doing="make the bridge")


def _ip_json(*arguments: str) -> list[dict[str, Any]]:
    text = commands.run(["ip", "-json", *arguments], doing="read this computer's network")
    return [entry for entry in json.loads(text or "[]") if entry]
