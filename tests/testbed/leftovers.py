"""What of pymachine is on this computer: everything that a machine may have and that must go with it."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from machine.drivers.nspawn.layout import Layout

SYSCTLS = ("net.ipv4.ip_forward", "fs.inotify.max_user_instances")


def leftovers(layout: Layout | None = None) -> list[str]:
    """Every process, mount, namespace, interface, firewall rule, control group and file of machines, one line each.

    Args:
        layout: only what belongs to it; left out: of all sets of machines.
    """
    found = [*_cgroups(), *_processes(), *_mounts(), *_namespaces(), *_interfaces(), *_rules()]
    if layout is not None:
        marks = (layout.label, layout.bridge, str(layout.state), str(layout.run))
        found = [line for line in found if any(_word(mark, line) for mark in marks)]
    found += _files(layout or Layout.of({}))
    return sorted(found)


def settings() -> dict[str, str]:
    """The values of this computer's settings that machines may change."""
    return {name: Path("/proc/sys", name.replace(".", "/")).read_text().strip() for name in SYSCTLS}


def _word(mark: str, line: str) -> bool:
    return re.search(rf"(?<![\w-]){re.escape(mark)}(?![\w-])", line) is not None


def _processes() -> Iterator[str]:
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            groups = (entry / "cgroup").read_text()
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace").strip()
            state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if state == "Z":
            continue  # ended; whoever collects it is not ours to wait for
        group = re.search(r":(/pymach\S*)", groups)
        if group is not None or (command.startswith("systemd-nspawn") and "--machine=pm-" in command):
            yield f"process {entry.name} in {group[1] if group else '/'}: {command[:200]}"


def _cgroups() -> Iterator[str]:
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, place, kind, *_ = line.split()
        if kind in ("cgroup", "cgroup2"):
            for group in Path(place).glob("pymach*"):
                yield f"control group {group}"


def _mounts() -> Iterator[str]:
    for line in Path("/proc/self/mounts").read_text().splitlines():
        if "/pymachine/nspawn" in line or line.startswith("pymachine "):
            yield f"mount {line}"


def _namespaces() -> Iterator[str]:
    named = Path("/run/netns")
    for path in named.glob("p*m*") if named.is_dir() else ():
        if path.name.startswith(("pymach", "pm-")):
            yield f"network namespace {path}"


def _interfaces() -> Iterator[str]:
    bridges = {}
    for link in json.loads(subprocess.run(["ip", "-json", "link"], capture_output=True, text=True, check=True).stdout):
        name = link["ifname"]
        bridges[name] = link.get("master", "")
        if name.startswith(("pymach", "pm-")):
            yield f"interface {name} {bridges[name]}".rstrip()


def _rules() -> Iterator[str]:
    for table in ("filter", "nat"):
        listing = subprocess.run(
            ["iptables", "-w", "-t", table, "-S"], capture_output=True, text=True, check=True
        ).stdout
        for rule in listing.splitlines():
            if "pymach" in rule:
                yield f"firewall rule {table} {rule}"


def _files(layout: Layout) -> Iterator[str]:
    for pattern in ("*", "machines/*"):
        yield from (f"file {path}" for path in layout.state.glob(pattern))
    yield from (f"file {path}" for path in layout.run.glob("*"))
    if layout == Layout.of({}):  # systemd-nspawn's own; whose set a machine is of does not show there
        yield from (f"file {path}" for path in Path("/run/systemd/nspawn/propagate").glob("pm-*"))
