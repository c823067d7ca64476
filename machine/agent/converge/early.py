"""What user data began before we came (``templates/userdata/engine.sh``): waited for, and taken for our own work."""

from __future__ import annotations

import os
import shutil
import time

from machine.agent.converge.packages import installed_packages
from machine.agent.host import Host
from machine.agent.wire import Wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

NOTE = "early"  # its directory below ours: `packages` as they were before, `source` of the engine, `done`
UNIT = "pymachine-engine.service"
_LOOK_SECONDS = 0.2
_ASKED = "ActiveState,Job"


class Early:
    """An installation that began with the boot, and has ended one way or another."""

    __slots__ = ("before", "engine")

    def __init__(self, before: set[str], engine: dict[str, Any]) -> None:
        self.before = before  # the packages that were there
        self.engine = engine  # where the engine came from, as `engine.memory` says it; empty: it brought none


def finished(host: Host, wire: Wire) -> Early | None:
    """Wait for its end; None where none began.

    Raises:
        Failed: the deadline passed.
    """
    note = host.own(NOTE)
    packages = host.read(os.path.join(note, "packages"))
    if packages is None:
        return None
    wire.begin("engine")
    if _running(host):
        wire.progress("waiting for the engine's installation, which began while the host booted")
        while _running(host):
            host.left()
            time.sleep(_LOOK_SECONDS)
    rows = [line.split(" ", 1) for line in packages.decode(errors="replace").splitlines()]
    before = {row[0] for row in rows if row[1:] == ["install ok installed"]}
    source, _, package = (
        (host.read(os.path.join(note, "source")) or b"").decode(errors="replace").strip().partition(" ")
    )
    version = installed_packages(host).get(package)
    known = {"source": source, "package": package, "package_version": version}
    return Early(before, known if version and package not in before else {})


def forget(host: Host) -> None:
    """It is remembered in our state now."""
    shutil.rmtree(host.own(NOTE), ignore_errors=True)


def _running(host: Host) -> bool:
    if os.path.exists(host.own(os.path.join(NOTE, "done"))):
        return False
    said = dict(line.partition("=")[::2] for line in host.run("systemctl", "show", "-p", _ASKED, UNIT).out.splitlines())
    # A job: it waits for its turn.
    return said.get("ActiveState") in ("activating", "active", "deactivating") or said.get("Job", "0") not in ("", "0")
