"""Changing how the host's engine is configured: what shall be otherwise is shown and agreed to, then the engine is
restarted once, and put back as it was when it does not come up.

Two reasons: settings that are wanted (`daemon.json`, and a drop-in of ours for the environment), and the endpoint's
port, which an engine with TLS of its own may hold. Both together are one question and one restart. The files as they
were are kept until the engine answers: a converge that was cut off in between is undone by the next one, which then
begins anew.
"""

from __future__ import annotations

import hashlib
import json
import os
import re

from machine.agent.converge import engine as engines
from machine.agent.converge import port as ports
from machine.agent.converge.state import State
from machine.agent.errors import Failed
from machine.agent.host import Host
from machine.agent.text import printable
from machine.agent.wire import Wire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

DAEMON_JSON = "/etc/docker/daemon.json"
DROP_IN = "/etc/systemd/system/docker.service.d/50-pymachine.conf"
UNIT = "docker.service"
_PASSWORD = re.compile(r"(://[^/@\s:\"]*):[^/@\s\"]*@")  # in a URL: nobody's business on a screen or in a journal
_KEPT = "before"  # below the agent's directory
_RESTART_SECONDS = 90
# Of these, a value K=V stands for its K: two with one K would contradict each other.
_KEYED = ("labels", "exec-opts", "storage-opts")
_HIDES = ("storage-driver", "data-root")  # images and containers of the old one are not seen from the new one


class Change:
    """What shall be otherwise: files as they will be, and how that is said to people."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.lines: list[dict[str, str]] = []  # what, before, after
        self.settings: list[str] = []
        self.frees: int | None = None  # a port that the engine must have left afterwards

    def say(self, what: str, before: Any, after: Any) -> None:
        """One line of the difference, without passwords; None: not there."""
        shown = [
            "" if each is None else each if isinstance(each, str) else json.dumps(each) for each in (before, after)
        ]
        was, will = (printable(_PASSWORD.sub(r"\1:…@", text)) for text in shown)
        self.lines.append({"what": what, "before": was, "after": will})


def plan(host: Host, wanted: dict[str, Any], engine: engines.Engine, free: int | None) -> Change | None:
    """What must change; None: it is all as wanted.

    Args:
        wanted: ``settings`` (keys of daemon.json) and ``environment`` of the engine.
        free: a port that the engine shall leave.

    Raises:
        Failed: ``engine-settings``, ``take-port``: the engine's configuration cannot be understood or changed.
    """
    change = Change()
    change.frees = free
    current = _daemon_json(host)
    after = dict(current)
    for key, value in wanted.get("settings", {}).items():
        merged = _merged(key, current.get(key), value)
        if merged != current.get(key) and not (
            key == "storage-driver" and _asked(host, engine, "/info", "Driver") == value
        ):
            after[key] = merged
            change.settings.append(key)
            change.say(f"{DAEMON_JSON}: {key}", current.get(key), merged)
    _environment(host, change, wanted.get("environment") or {})
    if free is not None:
        _leave_port(host, change, after, free)
    if after != current:
        change.files[DAEMON_JSON] = json.dumps(after, indent=4).encode() + b"\n"
    if not change.files:
        return None
    if engine.kind != "docker":
        raise Failed("engine-settings", f"{engine.title} has no settings that are known here")
    if "LoadState=not-found" in host.run("systemctl", "show", "-p", "LoadState", UNIT).out:
        raise Failed(
            "engine-settings",
            f"the engine on the host is not run by {UNIT}, so its settings cannot be changed from here",
            hint="change them on the host by hand",
        )
    return change


def agreed(host: Host, wire: Wire, change: Change, engine: engines.Engine) -> None:
    """Show the difference and ask for consent; comes back only with a yes.

    Raises:
        Failed: ``consent``: it is a no.
        Gone: there was nobody to ask; nothing is changed.
    """
    if engine.fresh:
        return
    containers = len(_asked(host, engine, "/containers/json") or ())
    warnings = []
    for key in set(_HIDES).intersection(change.settings):
        images = len(_asked(host, engine, "/images/json") or ())
        if images or containers:
            warnings.append(f"another {key}: {images} images, and all containers, disappear from view with it")
    answer = wire.ask("consent", changes=change.lines, containers=containers, warnings=warnings, restarts=UNIT)
    if answer.get("consent") is not True:
        raise Failed("consent", "the engine's configuration was not changed, and nothing else")


def apply(host: Host, wire: Wire, state: State, change: Change) -> list[str]:
    """Write, restart the engine once, and see it answer; what was changed, for people.

    Raises:
        Failed: ``engine-settings``: it does not come up so; it has its old configuration again, and runs.
    """
    wire.begin("settings")
    _keep(host, state, change)
    for path, data in change.files.items():
        place = os.path.realpath(host.path(path))
        host.write(place, data, _mode(place, 0o600 if path == DROP_IN else 0o644))
    wire.progress("restarting the engine once")
    trouble = _restarted(host, wire, change)
    if trouble is not None:
        wire.progress("the engine does not come up: putting its old configuration back")
        restore(host, state)
        host.run("systemctl", "reset-failed", UNIT)
        again = _restarted(host, wire, None)
        message = "the engine does not start with the new settings; it runs with its old ones again"
        if again is not None:
            message = "the engine does not start with the new settings, and with its old ones neither"
        raise Failed(
            "engine-settings", message, trouble, "look at the values; on the host: journalctl -u docker.service"
        )
    settings = state.get("settings")
    keys = sorted({*settings.get("keys", []), *change.settings})
    files = sorted({*settings.get("files", []), *change.files})
    state.put("settings", {"keys": keys, "files": files})
    _forget(host, state)
    wire.done("the engine runs with its new settings")
    changed = [
        f"{line['what']}: {line['before'] or '(nothing)'} -> {line['after'] or '(nothing)'}" for line in change.lines
    ]
    return [*changed, f"restarted {UNIT}"]


def restore(host: Host, state: State) -> None:
    """Undo a change that was not finished; a file that somebody else has changed since stays as it is."""
    for path, written in state.get("changing").items():
        place = os.path.realpath(host.path(path))
        now = host.read(place)
        if now is None or hashlib.sha256(now).hexdigest() != written:
            continue
        before = host.read(_kept(host, path))
        if before is None:
            host.remove(place)
        else:
            host.write(place, before, _mode(place, 0o644))
    if DROP_IN in state.get("changing"):
        host.run("systemctl", "daemon-reload")
    _forget(host, state)


def stays(state: State) -> list[str]:
    """What of it stays on the host when the agent goes."""
    settings = state.get("settings")
    keys = settings.get("keys", [])
    kept = [f"{'settings' if len(keys) > 1 else 'setting'} {', '.join(keys)} in {DAEMON_JSON}"] if keys else []
    return kept + [path for path in settings.get("files", []) if path != DAEMON_JSON]


def _daemon_json(host: Host) -> dict[str, Any]:
    data = host.read(host.path(DAEMON_JSON))
    try:
        value = json.loads(data) if data and data.strip() else {}
        if not isinstance(value, dict):
            raise ValueError("not an object")
    except ValueError as error:
        raise Failed(
            "engine-settings", f"the host's {DAEMON_JSON} cannot be understood", str(error), "correct it on the host"
        ) from None
    return value


def _merged(key: str, before: Any, wanted: Any) -> Any:
    """Lists united, the host's own first; objects joined, ours winning; everything else replaced."""
    if isinstance(wanted, list) and isinstance(before, list):
        if key in _KEYED:
            ours = {str(value).partition("=")[0] for value in wanted}
            before = [value for value in before if str(value).partition("=")[0] not in ours or value in wanted]
        return before + [value for value in wanted if value not in before]
    if isinstance(wanted, dict) and isinstance(before, dict):
        return {**before, **wanted}
    return wanted


def _environment(host: Host, change: Change, wanted: dict[str, str]) -> None:
    """Our drop-in, one variable a line; a variable of an earlier time stays."""
    if not wanted:
        return
    before = (host.read(host.path(DROP_IN)) or b"").decode(errors="replace")
    lines = [line for line in before.splitlines() if line.startswith("Environment=")]
    after = {line.partition('"')[2].partition("=")[0]: line for line in lines}
    for name, value in wanted.items():
        quoted = value.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
        line = f'Environment="{name}={quoted}"'
        if after.get(name) != line:
            change.say(f"{DROP_IN}: {name}", "(another value)" if name in after else None, value)
            after[name] = line
    text = "# Written by pymachine, for --engine-env.\n[Service]\n" + "".join(f"{line}\n" for line in after.values())
    if text != before:
        change.files[DROP_IN] = text.encode()


def _leave_port(host: Host, change: Change, after: dict[str, Any], port: int) -> None:
    from machine.agent.converge import takeport

    hosts = after.get("hosts")
    if isinstance(hosts, list):
        left = [each for each in hosts if not takeport.is_tcp(each, port)]
        if left != hosts:
            change.say(f"{DAEMON_JSON}: hosts", hosts, left or None)
            after["hosts"] = left
            if not left:
                del after["hosts"]
    for path, text, line_before, line_after in takeport.places(host, port):
        change.files[path] = text.encode()
        change.say(path, line_before, line_after)
    if not change.files and after.get("hosts") == hosts:
        raise Failed(
            "take-port",
            f"the engine holds port {port}, and neither {DAEMON_JSON} nor a drop-in of its unit tells it to",
            hint=f"take its tcp://…:{port} away on the host by hand and restart it, then run the command again",
        )


def _asked(host: Host, engine: engines.Engine, page: str, field: str | None = None) -> Any:
    """Something the engine says of itself; None where it does not."""
    try:
        said = engines.ask(host.path(engine.path), page)
        return said if field is None else said.get(field)
    except (OSError, ValueError, AttributeError):
        return None


def _restarted(host: Host, wire: Wire, change: Change | None) -> str | None:
    """Restart the engine; None when it answers, else why not."""
    if change is None or any(path.startswith("/etc/systemd/") for path in change.files):
        host.run("systemctl", "daemon-reload")
    ran = host.run("systemctl", "restart", UNIT, seconds=_RESTART_SECONDS)
    if ran.code != 0:
        return engines.last_words(host) or ran.last_words()
    try:
        engines.wait(host, wire, _RESTART_SECONDS)
        if change is not None and change.frees is not None:
            ports.check_free(host, change.frees)
    except Failed as error:
        if error.code == "deadline":
            raise
        return engines.last_words(host) if error.code == "engine-start" else error.message
    return None


def _keep(host: Host, state: State, change: Change) -> None:
    """The files as they are, and the intent, before the first is changed."""
    for path in change.files:
        before = host.read(os.path.realpath(host.path(path)))
        if before is None:
            host.remove(_kept(host, path))
        else:
            host.write(_kept(host, path), before, 0o600)
    state.put("changing", {path: hashlib.sha256(data).hexdigest() for path, data in change.files.items()})


def _forget(host: Host, state: State) -> None:
    paths = list(state.get("changing"))
    state.put("changing", None)
    for path in paths:
        host.remove(_kept(host, path))
    try:
        os.rmdir(host.own(_KEPT))
    except OSError:
        pass


def _kept(host: Host, path: str) -> str:
    return host.own(os.path.join(_KEPT, path.strip("/").replace("/", "_")))


def _mode(path: str, otherwise: int) -> int:
    try:
        return os.stat(path).st_mode & 0o777
    except FileNotFoundError:
        return otherwise
