"""Upgrade the engine's packages to the newest that the host's own sources have. It was asked for: no more questions."""

from __future__ import annotations

from machine.agent.converge import engine as engines
from machine.agent.converge.packages import await_cloud_init, installed_packages, manager
from machine.agent.converge.state import State
from machine.agent.errors import Failed
from machine.agent.host import Host
from machine.agent.wire import Wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# What belongs to an engine's package and goes with it.
_TOGETHER = {
    "docker-ce": ("docker-ce", "docker-ce-cli", "containerd.io", "docker-buildx-plugin", "docker-compose-plugin"),
    "docker.io": ("docker.io", "containerd", "runc"),
}


def upgrade(host: Host, wire: Wire, wanted: dict[str, Any]) -> dict[str, Any]:
    """Upgrade; which version became which.

    Raises:
        Failed: the host is another machine's, or its engine is not there, not from a package, or not to be upgraded.
    """
    wire.begin("upgrade")
    state = State.load(host)
    state.check_owner(wanted["store"], wanted["machine"])
    engine = engines.find(host) or _started(host, wire)
    before = installed_packages(host)
    package = next((name for name in _TOGETHER if name in before), None)
    if package is None:
        raise Failed(
            "engine-upgrade",
            f"{engine.title} on the host is from none of the packages known here: {', '.join(_TOGETHER)}",
            hint="upgrade it as it was installed",
        )
    apt = manager(host, wire)
    await_cloud_init(host, wire)
    apt.repair()
    complaint = apt.refresh()
    newest = apt.versions(package)
    if newest and newest[0] != before[package]:
        wire.progress(f"upgrading {package} {before[package]} to {newest[0]}")
        names = [name for name in _TOGETHER[package] if name in before]
        # A configuration file that was changed on the host stays as it is; nobody could be asked.
        keep = ("-o", "Dpkg::Options::=--force-confdef", "-o", "Dpkg::Options::=--force-confold")
        ran = apt.get("install", *keep, "--only-upgrade", "--no-remove", *names, watch=True)
        if ran.code != 0:
            raise Failed("engine-upgrade", f"upgrading {package} failed", ran.last_words(4) or complaint)
    elif complaint and not newest:
        raise Failed("engine-upgrade", "the host's package sources cannot be reached", complaint)
    elif complaint:
        wire.warn(f"not all package sources of the host answer: {complaint}")
    after = installed_packages(host)
    changed = after.get(package) != before[package]
    now = engines.find(host) or engines.wait(host, wire) if changed else engine
    if state.get("engine").get("package") == package:
        state.put("engine", {**state.get("engine"), "package_version": after.get(package)})
    wire.done(f"{engine.title} is now {now.title}" if changed else f"{now.title} is the newest there is")
    return {
        "kind": now.kind,
        "before": engine.version,
        "after": now.version,
        "package": package,
        "package_before": before[package],
        "package_version": after.get(package),
        "changed": changed,
    }


def _started(host: Host, wire: Wire) -> engines.Engine:
    ran = host.run("systemctl", "start", "docker.service", seconds=90)
    if ran.code != 0:
        raise Failed("engine-start", "the engine on the host does not start", engines.last_words(host))
    return engines.wait(host, wire)
