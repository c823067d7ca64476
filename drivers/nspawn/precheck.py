"""What can be known before anything is made: whether machines can work on this computer, and with these options."""

from __future__ import annotations

import ipaddress
import os
import platform
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from machine.driver import HostIdentity
from machine.drivers.nspawn import base, cgroup, commands, network, records, rootfs, sources, sysctls
from machine.drivers.nspawn.layout import Layout
from machine.drivers.nspawn.mmdebstrap import Recipe
from machine.drivers.nspawn.options import Options
from machine.errors import DriverError, PreCheckFailed
from machine.model import Spec

# Program -> Debian package.
_TOOLS = {
    "systemd-nspawn": "systemd-container", "ip": "iproute2", "iptables": "iptables", "mount": "mount",
    "unshare": "util-linux", "setsid": "util-linux", "ssh-keygen": "openssh-client",
}  # fmt: skip
_BUILD_TOOLS = {"mmdebstrap": "mmdebstrap", "setpriv": "util-linux"}
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "armhf", "ppc64le": "ppc64el", "i686": "i386"}
# An overlay cannot have its writable part on these.
_UNFIT = ("overlay", "nfs", "cifs", "smb", "9p", "vfat", "exfat", "fuse", "ecryptfs", "virtiofs", "squashfs")
_BUILD_SPACE = 1500 << 20  # half of it for the packages while they are unpacked
_RUN_SPACE = 200 << 20


def usable(layout: Layout) -> str | None:
    """Why machines cannot work on this computer, one line; None: they can."""
    if sys.platform != "linux":
        return "needs Linux"
    if os.geteuid() != 0:
        return "needs root"
    missing = _missing({**_TOOLS, **_BUILD_TOOLS})
    if missing:
        return f"not installed: {', '.join(missing)} (apt-get install -y {' '.join(_packages(missing))})"
    if not cgroup.mounted():
        return "the control groups of this system cannot be written to"
    unfit = _unfit(layout.state, Path("/proc/self/mounts").read_text())
    if unfit:
        return f"{layout.state} is on {unfit}, where no overlay can be written"
    return None


def check(layout: Layout, spec: Spec, options: Options, identity: HostIdentity) -> dict[str, Any]:
    """The driver's pre-check; no effect.

    Returns:
        The request, JSON values only.

    Raises:
        PreCheckFailed: it cannot work; names what to change.
    """
    _require_system(layout)
    chosen = _base(layout, options)
    building = chosen["kind"] != "directory" and not base.cached(layout, chosen).is_dir()
    if building and chosen["kind"] == "built":
        _require(_BUILD_TOOLS, "building a Debian root file system")
        _require_keyring(Recipe(**chosen["recipe"]))
    _require_space(layout.cache if building else layout.state, _BUILD_SPACE if building else _RUN_SPACE)
    if options.subnet is not None:
        _require_free(layout, options.subnet)
    return {
        "machine": spec.name,
        "store": identity.store,
        "authorized_key": identity.authorized_key.strip(),
        "base": chosen,
        "cpus": options.cpus,
        "memory": options.memory,
        "subnet": options.subnet,
    }


def host_changes(layout: Layout) -> list[str]:
    """What the first machine will change on this computer, one line each; nothing when a machine is there already."""
    if records.read_network(layout) is not None:
        return []
    changes = [
        f"a bridge {layout.bridge} with a private IPv4 network for the machines",
        f"firewall rules for it, marked {layout.label!r}: accept in FORWARD, masquerade in POSTROUTING",
    ]
    now = sysctls.read()
    changes += [f"{name} = {value} (now {now[name]})" for name, value in sysctls.wanted(now, 1).items()]
    return changes


def own_suite() -> str:
    """The Debian suite of this computer, else the default one."""
    return sources.own_codename() or sources.DEFAULT_SUITE


def architecture() -> str:
    """This computer's architecture, in Debian's words."""
    try:
        return commands.run(["dpkg", "--print-architecture"], doing="read the architecture").strip()
    except DriverError:
        return _ARCHITECTURES.get(platform.machine(), platform.machine())


def _base(layout: Layout, options: Options) -> dict[str, Any]:
    if options.rootfs is None:
        suite = options.suite or own_suite()
        return base.of_recipe(Recipe(suite=suite, architecture=architecture(), mirror=options.mirror))
    path = Path(options.rootfs).expanduser().absolute()
    if not path.exists():
        raise PreCheckFailed(
            f"{path} does not exist", hint="give --nspawn-rootfs a directory or a tarball, or leave it out"
        )
    if any(character in str(path) for character in ',:\\"\n '):
        raise PreCheckFailed(f"{path} has a character in its name that an overlay cannot take", hint="rename it")
    if path == Path("/"):
        raise PreCheckFailed("a machine never sees the operator's own files", hint="leave --nspawn-rootfs out")
    if path.is_dir():
        reason = rootfs.missing_in(path)
        if reason:
            raise PreCheckFailed(
                f"{path} cannot be a machine's root file system",
                cause=reason,
                hint="install systemd and openssh-server in it, or leave --nspawn-rootfs out",
            )
    elif not path.is_file():
        raise PreCheckFailed(f"{path} is neither a directory nor a tarball")
    return base.of_path(path)


def _require_system(layout: Layout) -> None:
    if sys.platform != "linux" or os.geteuid() != 0:
        raise PreCheckFailed(
            "nspawn machines need root on Linux", hint="run it with sudo, or choose another driver: --driver generic"
        )
    _require(_TOOLS, "nspawn machines")
    if not cgroup.mounted():
        raise PreCheckFailed(
            "the control groups of this system cannot be written to", hint="mount the cgroup file systems"
        )
    unfit = _unfit(layout.state, Path("/proc/self/mounts").read_text())
    if unfit:
        raise PreCheckFailed(
            f"{layout.state} is on {unfit}, where no overlay can be written",
            hint=f"mount a local file system (ext4, xfs, btrfs, tmpfs) at {layout.state}",
        )


def _require(tools: dict[str, str], purpose: str) -> None:
    missing = _missing(tools)
    if missing:
        raise PreCheckFailed(
            f"{purpose} need{'s' if purpose.startswith('building') else ''} {', '.join(missing)}",
            cause="not installed on this computer",
            hint=f"apt-get install -y {' '.join(_packages(missing))}",
        )


def _missing(tools: Iterable[str]) -> list[str]:
    path = commands.environment()["PATH"]
    return [tool for tool in tools if shutil.which(tool, path=path) is None]


def _packages(missing: Iterable[str]) -> list[str]:
    return sorted({(_TOOLS | _BUILD_TOOLS)[tool] for tool in missing})


def _require_keyring(recipe: Recipe) -> None:
    chosen = sources.choose(recipe.suite, recipe.mirror, sources.operator_sources(), sources.own_codename())
    for source in chosen:
        if source.signed_by and not Path(source.signed_by).is_file():
            raise PreCheckFailed(
                f"the key that signs Debian {recipe.suite} is not on this computer",
                cause=f"{source.signed_by} does not exist",
                hint="apt-get install -y debian-archive-keyring",
            )


def _require_space(place: Path, needed: int) -> None:
    existing = _existing(place)
    free = shutil.disk_usage(existing).free
    if free < needed:
        raise PreCheckFailed(
            f"not enough room in {place}: {free >> 20} MB free, {needed >> 20} MB needed",
            hint="make room there, or mount a larger file system",
        )


def _require_free(layout: Layout, subnet: str) -> None:
    known = records.read_network(layout)
    if known is not None:
        if known.subnet != subnet:
            raise PreCheckFailed(
                f"the machines of this computer are in {known.subnet}, not in {subnet}",
                hint=f"leave --nspawn-subnet out, or give it {known.subnet}",
            )
        return
    wanted = ipaddress.IPv4Network(subnet)
    routes = [
        route
        for route in network.routes(layout.bridge)
        # A wider route, such as a VPN's 10.0.0.0/8, is the operator's to carve from when asked for by name.
        if not wanted.subnet_of(ipaddress.IPv4Network(route)) or wanted == ipaddress.IPv4Network(route)
    ]
    taken = network.conflict(subnet, routes)
    if taken is not None:
        raise PreCheckFailed(
            f"the network {subnet} is in use here",
            cause=f"this computer has a route to {taken}",
            hint="give --nspawn-subnet another one, or leave it out",
        )


def _existing(path: Path) -> Path:
    return next(each for each in (path, *path.parents) if each.exists())


def _unfit(path: Path, mounts: str) -> str | None:
    """The file system type a path is on, when an overlay cannot be written there."""
    existing, kind, longest = str(_existing(path).resolve()), "", -1
    for line in mounts.splitlines():
        _, place, here, *_ = line.split()
        place = place.replace("\\040", " ")
        inside = place == "/" or existing == place or existing.startswith(place + "/")
        if inside and len(place) >= longest:  # a later mount covers an earlier one
            kind, longest = here, len(place)
    return kind if kind.startswith(_UNFIT) else None
