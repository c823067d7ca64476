"""Take the agent off the host: all that is ours, and nothing that is not. Already gone is success."""

from __future__ import annotations

import os
import shutil

from machine.agent.converge import service
from machine.agent.converge.repositories import KEYRING, SOURCE
from machine.agent.converge.state import State
from machine.agent.host import DIRECTORY, Host
from machine.agent.wire import Wire

TYPE_CHECKING = False  # `typing` would cost a converge with nothing to do 4 ms
if TYPE_CHECKING:
    from typing import Any


def uninstall(host: Host, wire: Wire, store: str, machine: str) -> dict[str, Any]:
    """Remove agent, units and the login; the result for the operator.

    Args:
        store, machine: who asks; "" for both: whoever is root on the host.

    Raises:
        Failed: the host is another store's, or cannot be changed.
    """
    wire.begin("uninstall")
    state = State.load(host)
    if store and (state.get("owner").get("store", store) != store or state.values.get("members")):
        from machine.agent.converge import membership

        stays = membership.leave(host, wire, state, store, machine)
        if stays is not None:
            return stays
    if store:
        state.check_owner(store, machine)
    if state.get("changing"):  # a change of the engine's configuration that was cut off
        from machine.agent.converge import enginechange

        enginechange.restore(host, state)
    removed = []
    paths = [service.unit_path(host, name) for name in (service.SOCKET, service.SERVICE)]
    known = any(map(os.path.lexists, paths))
    if known:
        wire.progress("stopping the agent")
        host.run("systemctl", "disable", "-q", "--now", service.SOCKET, service.SERVICE)
    for path in paths:
        directory, name = os.path.split(path)
        host.remove(os.path.join(directory, f".{name}.new"))
        if host.remove(path):
            removed.append(path)
    if known:
        host.run("systemctl", "daemon-reload")
        host.run("systemctl", "reset-failed", service.SOCKET, service.SERVICE)
    owner = state.get("owner")
    if state.get("authorized"):
        from machine.agent.converge import authorized

        mark = f"pymachine:{owner.get('store')}/{owner.get('machine')}"
        removed += authorized.remove(host, mark, state.get("authorized"))
    if state.values.get("members"):
        from machine.agent.converge import membership

        removed += membership.remove_logins(host, state)
    kept = _kept(host, state)
    if os.path.isdir(host.path(DIRECTORY)):
        shutil.rmtree(host.path(DIRECTORY))  # last: what it remembers is needed until here
        removed.append(host.path(DIRECTORY))
    wire.done("the agent is gone" if removed else "there was no agent")
    return {"removed": removed, "kept": kept}


def _kept(host: Host, state: State) -> list[str]:
    """What stays although we brought it, or because it is the user's."""
    kept = [f"package {name}" for name in state.values.get("installed") or []]
    kept += [path for path in (SOURCE, KEYRING) if os.path.exists(host.path(path))]  # with the packages from there
    if state.get("settings"):
        from machine.agent.converge import enginechange

        kept += enginechange.stays(state)
    if state.get("owner"):
        kept.append("the container engine with its images, containers and volumes")
    return kept
