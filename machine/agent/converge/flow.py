"""Converge, from the first look to the last step. Nothing is changed before it is known that it can work."""

from __future__ import annotations

import os
import time

from machine.agent.converge import engine as engines
from machine.agent.converge import identity, port, service
from machine.agent.converge.state import State
from machine.agent.facts import host_facts
from machine.agent.host import Host
from machine.agent.start import compiled_path
from machine.agent.version import VERSION
from machine.agent.wire import Wire

TYPE_CHECKING = False  # `typing` would cost a converge with nothing to do 4 ms
if TYPE_CHECKING:
    from typing import Any

    from machine.agent.converge.early import Early

CLOCK_SECONDS = 30  # a clock that is further off is worth a warning


class Agent:
    """The agent that runs this converge, and shall serve."""

    __slots__ = ("archive", "bytecode", "data", "sha256")

    def __init__(self, sha256: str, data: bytes, archive: str, bytecode: bytes | None) -> None:
        self.sha256, self.data, self.archive, self.bytecode = sha256, data, archive, bytecode


def converge(
    host: Host, wire: Wire, wanted: dict[str, Any], agent: Agent, installed_before: list[str]
) -> dict[str, Any]:
    """Make the host as wanted; the result for the operator.

    Raises:
        Failed: with the reason; what was done stays, and a repeat goes on.
        Gone: the operator left.
    """
    changed = [f"installed the package {name}" for name in installed_before]
    skew = time.time() - float(wanted["now"])
    wire.begin("look")
    state = State.load(host)
    if state.get("owner").get("store", wanted["store"]) != wanted["store"]:
        return _as_member(host, wire, wanted, agent, state, changed, skew)
    state.check_owner(wanted["store"], wanted["machine"])
    observed = service.Observed(host)
    if state.get("changing"):  # a change of the engine's configuration that was cut off
        from machine.agent.converge import enginechange

        enginechange.restore(host, state)
    current = state.get("endpoint").get("port")
    endpoint, held = port.choose(host, wanted["endpoint"], current, observed.socket_active)
    if endpoint != wanted["endpoint"]["port"] and endpoint != current:
        wire.warn(f"port {wanted['endpoint']['port']} is the engine's own TLS endpoint: the agent takes {endpoint}")
    if abs(skew) > CLOCK_SECONDS:
        wire.warn(
            f"the host's clock is {abs(skew):.0f} s {'ahead' if skew > 0 else 'behind'}: certificates need a right one"
        )
    wire.done()

    if wanted.get("host_key"):  # before anything that takes long
        from machine.agent.converge import hostkey

        changed += hostkey.replace(host, wire, wanted["host_key"])
    begun = _begun_early(host, wire)
    found = engines.find(host)
    before = begun.before if begun else set() if found else _installed_packages(host)
    remembered = state.get("engine") or (begun.engine if begun else {})
    engine = engines.ensure(host, wire, wanted["engine"], remembered, found)
    added = sorted(_installed_packages(host) - before) if begun or not found else []
    changed += [f"installed the package {name}" for name in added]
    change = None
    if held or wanted["engine"].get("settings") or wanted["engine"].get("environment"):
        from machine.agent.converge import enginechange

        change = enginechange.plan(host, wanted["engine"], engine, endpoint if held else None)
        if change is not None:
            enginechange.agreed(host, wire, change, engine)

    # From here on the host is ours, and says so before anything of ours is on it.
    added = installed_before + added
    state.note("owner", {"store": wanted["store"], "machine": wanted["machine"]})
    state.note("engine", engines.memory(engine))
    if added:
        state.note("installed", sorted({*state.values.get("installed", []), *added}))
    state.save()
    if begun is not None:
        from machine.agent.converge import early

        early.forget(host)
    if change is not None:
        changed += enginechange.apply(host, wire, state, change)
    changed += identity.ensure(host, wire, state, wanted["certificate"], float(wanted["now"]))
    if not state.get("service"):
        state.note("service", {"variant": service.variant(host)})
    # Before systemd listens there: a converge that is cut off after that must know the port for its own.
    state.note("endpoint", {"port": endpoint})
    installed = install(host, wire, state, agent)
    changed += installed
    state.save()
    units = service.Units(agent.archive, state.get("service")["variant"], endpoint, engine.path, engine.group)
    changed += service.ensure(host, wire, observed, units, agent.sha256, _identity_digest(host, wanted))
    if wanted.get("authorized_key"):
        from machine.agent.converge import authorized

        wire.begin("login")
        mark = f"pymachine:{wanted['store']}/{wanted['machine']}"
        remember, lines = authorized.ensure(host, wanted["authorized_key"], mark, state.get("authorized"))
        state.put("authorized", remember)
        changed += lines
        wire.done(f"the machine's key may log in as {remember['user']}")
    of_agent = {"version": VERSION, "sha256": agent.sha256, "changed": bool(installed)}
    return _result(host, of_agent, engine, endpoint, skew, changed, added)


def _as_member(
    host: Host, wire: Wire, wanted: dict[str, Any], agent: Agent, state: State, changed: list[str], skew: float
) -> dict[str, Any]:
    """The host is another store's: used together with that one, where this was asked for."""
    from machine.agent.converge import membership

    done = membership.converge(host, wire, wanted, agent, state)
    of_agent = {**state.get("agent"), "changed": done["installed"]}
    result = _result(host, of_agent, done["engine"], done["port"], skew, changed + done["changed"], [])
    return {**result, "trust": done["trust"], "owner": state.get("owner")}


def _result(
    host: Host,
    agent: dict[str, Any],
    engine: engines.Engine,
    port_: int,
    skew: float,
    changed: list[str],
    added: list[str],
) -> dict[str, Any]:
    return {
        "agent": agent,
        "engine": {
            "kind": engine.kind,
            "version": engine.version,
            "api_version": engine.api_version,
            "source": engine.source,
            "package": engine.package,
            "package_version": engine.package_version,
        },
        "endpoint": {"port": port_},
        **host_facts(host.root),
        "clock_skew": round(skew, 1),
        "changed": changed,
        "installed": added,
    }


def _begun_early(host: Host, wire: Wire) -> Early | None:
    if not os.path.isdir(host.own("early")):
        return None
    from machine.agent.converge import early

    return early.finished(host, wire)


def _installed_packages(host: Host) -> set[str]:
    from machine.agent.converge.packages import installed_packages

    return set(installed_packages(host))


def install(host: Host, wire: Wire, state: State, agent: Agent) -> list[str]:
    """The agent's bytes on disk under their own name, and ``current`` pointing at them; older ones go.

    The compiled ones beside them make it start sooner and change nothing: they are no change of the host.
    """
    wire.begin("agent")
    directory, name = host.own("agents"), f"{agent.sha256}.pyz"
    written = host.write(os.path.join(directory, name), agent.data)
    compiled = compiled_path(name)
    if agent.bytecode is not None:
        try:
            host.write(os.path.join(directory, compiled), agent.bytecode, durable=False)
        except OSError:
            pass  # no room for it: it goes without
    linked = host.link(host.own("current"), os.path.join("agents", name))
    state.put("agent", {"version": VERSION, "sha256": agent.sha256})
    for other in os.listdir(directory):
        if other not in (name, compiled):
            host.remove(os.path.join(directory, other))  # a process that runs it holds it open until it is restarted
    wire.done(f"agent {VERSION}")
    return [f"{host.own('current')}: agent {VERSION}"] if written or linked else []


def _identity_digest(host: Host, wanted: dict[str, Any]) -> str:
    from machine.agent.identity_digest import identity_digest

    certificate, authority = host.read(host.own("cert.pem")), host.read(host.own("ca.pem"))
    return identity_digest(certificate or b"", authority or b"", wanted["store"], wanted["machine"])
