"""The two units, and that systemd runs what is wanted: looked at in one call, changed only where it differs.

The service reports what it runs in its status text (agent, identity and unit, each by its digest; `serve.server`), so
that a converge that was cut off between writing and restarting is seen by the next one.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
import time
import zipimport

from machine.agent.converge import port as ports
from machine.agent.errors import Failed
from machine.agent.host import DIRECTORY, Host
from machine.agent.wire import Wire

SERVICE, SOCKET = "pymachine-agent.service", "pymachine-agent.socket"
UNITS = "/etc/systemd/system"
_LINKS = {SOCKET: "sockets.target.wants", SERVICE: "multi-user.target.wants"}
_CREDENTIALS_SINCE = 247  # LoadCredential=, systemd's NEWS
_CREDENTIALS_TOOL = "/usr/bin/systemd-creds"  # comes with systemd since 250
_RELOAD_SECONDS = 5


class Observed:
    """What systemd says of our units now."""

    __slots__ = ("known", "needs_reload", "service_active", "socket_active", "status")

    def __init__(self, host: Host) -> None:
        """
        Raises:
            Failed: there is no systemd.
        """
        if not os.path.isdir(host.path("/run/systemd/system")):
            raise Failed(
                "service-manager",
                "the host does not run systemd, the one service manager the agent knows so far",
                hint="choose a host with systemd",
            )
        self.known = any(os.path.lexists(unit_path(host, name)) for name in (SOCKET, SERVICE))
        self.socket_active = self.service_active = self.needs_reload = False
        self.status = ""
        if not self.known:
            return  # and systemd is not asked: what it has never heard of it reads when it is started, without a reload
        properties = "Id,ActiveState,NeedDaemonReload,StatusText"
        ran = host.run("systemctl", "show", "-p", properties, SOCKET, SERVICE)
        if ran.code != 0:
            raise Failed("service-manager", "systemd on the host does not answer", ran.last_words())
        units = {}
        for block in ran.out.split("\n\n"):
            values = dict(line.partition("=")[::2] for line in block.splitlines())
            units[values.get("Id")] = values
        self.socket_active = units.get(SOCKET, {}).get("ActiveState") == "active"
        self.service_active = units.get(SERVICE, {}).get("ActiveState") == "active"
        self.needs_reload = any(unit.get("NeedDaemonReload") == "yes" for unit in units.values())
        self.status = units.get(SERVICE, {}).get("StatusText", "")


class Units:
    """The texts of the two units for this host."""

    def __init__(self, archive: str, variant: str, wanted_port: int, engine_path: str, group: int) -> None:
        """
        Args:
            archive: the zipapp, which holds the units; filled in here is what only the host knows.
            variant: what `variant` chose.
            group: the numeric group that may use the engine's socket.
        """
        files = zipimport.zipimporter(archive)
        service = files.get_data(f"machine/agent/units/{variant}.service").decode()
        socket = files.get_data("machine/agent/units/agent.socket").decode()
        values = {
            # The name this Python was started by: it outlives an upgrade to the next minor version.
            "PYTHON": sys.executable,
            "DIRECTORY": DIRECTORY,
            "ENGINE": engine_path,
            "GROUP": str(group),
            "ADDRESS": ports.wildcard(),
            "PORT": str(wanted_port),
        }
        self.socket = _fill(socket, values)
        values["DIGEST"] = self.digest = hashlib.sha256(_fill(service, values).encode()).hexdigest()[:16]
        self.service = _fill(service, values)


def unit_path(host: Host, name: str) -> str:
    """Where a unit of ours is."""
    return host.path(os.path.join(UNITS, name))


def ensure(host: Host, wire: Wire, observed: Observed, units: Units, agent: str, identity: str) -> list[str]:
    """Units as wanted, enabled, and running with this agent and identity; what was changed, for people.

    Args:
        agent, identity: the digests the service must report.

    Raises:
        Failed: ``service``: it does not start; the cause is what it said.
    """
    wire.begin("service")
    changed = []
    new_socket = host.write(unit_path(host, SOCKET), units.socket.encode())
    new_service = host.write(unit_path(host, SERVICE), units.service.encode())
    changed += [unit_path(host, name) for name, new in ((SOCKET, new_socket), (SERVICE, new_service)) if new]
    if observed.known and (new_socket or new_service or observed.needs_reload):
        _systemctl(host, "daemon-reload")  # 0.1 s, as is the one that `systemctl enable` does at its end
    links = [_enable(host, name, where) for name, where in _LINKS.items()]
    if any(links):
        changed.append(f"enabled {SOCKET} and {SERVICE}")
    if new_socket and observed.socket_active:
        # The one case in which clients are refused for a moment: the port itself changes.
        _systemctl(host, "stop", SERVICE)
        _systemctl(host, "restart", SOCKET)
    running = f"agent {agent[:16]} identity {identity[:16]} unit {units.digest}"
    # A unit that is loaded but not restarted reports the digest it was started with.
    current = observed.service_active and observed.socket_active and not new_socket
    if current and observed.status == running:
        wire.done("the agent runs")
    elif current and _but_identity(observed.status) == _but_identity(running):
        _systemctl(host, "reload", SERVICE)
        _await_status(host, running)
        changed.append(f"reloaded {SERVICE}")
        wire.done("the agent serves the new certificate; open connections live on")
    else:
        if not observed.known:
            _start_unheard_of(host)
        else:
            if not observed.socket_active:
                _systemctl(host, "start", SOCKET)
            _systemctl(host, "restart", SERVICE)  # systemd goes on holding the port: clients wait, none is refused
        changed.append(f"{'restarted' if observed.service_active else 'started'} {SERVICE}")
        wire.done("the agent runs")
    return changed


def reload(host: Host, wire: Wire, identity: str) -> list[str]:
    """The service that runs takes the identity that is on disk, if it has another one; what was changed, for people.

    Raises:
        Failed: ``service``: it does not.
    """
    wire.begin("service")
    observed = Observed(host)
    if not (observed.socket_active and observed.service_active):
        _systemctl(host, "start", SOCKET, SERVICE)
        wire.done("the agent runs")
        return [f"started {SERVICE}"]
    words = observed.status.split()
    running = " ".join((*words[:3], identity[:16], *words[4:]))
    if observed.status == running:
        wire.done("the agent runs")
        return []
    _systemctl(host, "reload", SERVICE)
    _await_status(host, running)
    wire.done("the agent knows; open connections live on")
    return [f"reloaded {SERVICE}"]


def _enable(host: Host, name: str, where: str) -> bool:
    """The link that ``systemctl enable`` makes; False when it is there."""
    directory = os.path.join(host.path(UNITS), where)
    host.make_directory(directory)
    return host.link(os.path.join(directory, name), os.path.join(UNITS, name))


def _start_unheard_of(host: Host) -> None:
    """Start units that systemd has not read yet; an old one that remembers having missed them is told to look again."""
    if host.run("systemctl", "start", SOCKET, SERVICE).code != 0:
        _systemctl(host, "daemon-reload")
        _systemctl(host, "start", SOCKET, SERVICE)


def _but_identity(status: str) -> tuple[str, ...]:
    words = status.split()
    return (*words[:2], *words[4:])


def _await_status(host: Host, running: str) -> None:
    """A reload is asked for and not waited for by older systemd: wait until the service says that it was done."""
    until = time.monotonic() + _RELOAD_SECONDS
    while Observed(host).status != running:
        if time.monotonic() > until:
            raise Failed("service", "the agent did not take the new certificate", _said(host))
        time.sleep(0.02)


def _systemctl(host: Host, *arguments: str) -> None:
    ran = host.run("systemctl", *arguments)
    if ran.code != 0:
        raise Failed(
            "service",
            "the agent's service does not start on the host",
            _said(host) or ran.last_words(),
            f"look at it on the host: journalctl -u {SERVICE}",
        )


def _said(host: Host) -> str:
    return host.run("journalctl", "-u", SERVICE, "-n", "5", "-o", "cat", "--no-pager", merge=True).last_words(5)


def variant(host: Host) -> str:
    """Which service unit this host's systemd can run; looked up once per host."""
    if os.path.exists(host.path(_CREDENTIALS_TOOL)):
        return "credentials"  # and no process is started to hear so
    match = re.match(r"systemd (\d+)", host.run("systemctl", "--version").out)
    return "credentials" if match and int(match.group(1)) >= _CREDENTIALS_SINCE else "plain"


def _fill(text: str, values: dict[str, str]) -> str:
    for name, value in values.items():
        text = text.replace(f"@{name}@", value)
    return text
