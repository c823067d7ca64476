"""Several stores, one host: the first is its owner, and each other one is a member, let in beside it.

The owner has the port, the units and the server's certificate. A member adds its CA to those that clients are believed
by, and its key to those that log in; what it trusts the endpoint by is the owner's CA, which it gets from here by SSH.
When the owner leaves, the first member takes its place, and signs the certificate anew at its next converge; the last
one to leave takes the agent off.
"""

from __future__ import annotations

from machine.agent.converge import engine as engines
from machine.agent.converge import identity, service
from machine.agent.converge.state import State
from machine.agent.errors import Failed
from machine.agent.host import Host
from machine.agent.identity_digest import identity_digest
from machine.agent.version import VERSION, newer
from machine.agent.wire import Wire
from machine.agent.x509 import Certificate, Malformed, certificates

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from machine.agent.converge.flow import Agent

_REMEMBERED = 16  # stores that have left, the last ones


def converge(host: Host, wire: Wire, wanted: dict[str, Any], agent: Agent, state: State) -> dict[str, Any]:
    """Make a store a member, or see that it still is; what to say of engine and port, and what to trust.

    Raises:
        Failed: ``other-store``, ``other-machine``: it is none and does not ask to be, or under another name;
            ``join-address``: the certificate does not name this address; ``join``: the owner has not set up the host.
    """
    member = find(state, wanted["store"])
    if member is None and not wanted.get("join"):
        state.check_owner(wanted["store"], wanted["machine"])  # says whose it is
    if member is not None and member["machine"] != wanted["machine"]:
        state.check_machine(member, wanted["machine"])
    owner, record = state.get("owner"), state.get("certificate")
    port, authority = state.get("endpoint").get("port"), host.read(host.own("ca.pem"))
    if not port or not record or not authority:
        raise Failed(
            "join",
            f"the host is being set up as the machine {owner['machine']!r} of another store ({owner['store']})",
            hint="wait until that is done, and run the command again",
        )
    names = wanted["certificate"]["names"]
    if names[0] not in record.get("names", []):
        raise Failed(
            "join-address",
            f"the endpoint's certificate does not name {names[0]}",
            f"it names {', '.join(record.get('names', []))}",
            f"use one of these, or let its owner (store {owner['store']}) make it anew with --tls-san {names[0]}",
        )
    if wanted["endpoint"].get("take"):
        raise Failed("join", f"the endpoint's port is for the host's owner to change, store {owner['store']}")
    if wanted["engine"].get("settings") or wanted["engine"].get("environment"):
        wire.warn(f"the engine's settings are the host's owner's (store {owner['store']}): they stay as they are")
    wire.done()
    wire.begin("engine")
    engine = engines.find(host)
    if engine is None:
        raise Failed("engine-start", "the engine does not answer", hint="start it on the host: systemctl start docker")
    engine.source = state.get("engine").get("source", "found")
    wire.done(f"using {engine.title} of the machine {owner['machine']} of store {owner['store']}")

    wire.begin("certificate")
    changed: list[str] = []
    if member is None or member["ca"].split() != wanted["certificate"]["ca"].split():
        member = {**(member or {}), "store": wanted["store"], "machine": wanted["machine"]}
        member["ca"] = _distinct(wanted["certificate"]["ca"], authority, member.get("ca", ""))
        _put(state, member)
        changed.append(f"the store {wanted['store']} is let in, beside {owner['store']}")
    if host.write(host.own("ca.pem"), identity.bundle(_owners(authority, state), state)):
        changed.append(f"{host.own('ca.pem')}: the CA of {wanted['store']}")
    wire.done(f"clients of {1 + len(members(state))} stores are let in")
    installed = newer(VERSION, state.get("agent")["version"])
    if installed:
        from machine.agent.converge import flow

        changed += flow.install(host, wire, state, agent)
        variant = state.get("service")["variant"]
        units = service.Units(agent.archive, variant, port, engine.path, engine.group)
        observed = service.Observed(host)
        changed += service.ensure(host, wire, observed, units, agent.sha256, _digest(host, state))
    else:
        changed += service.reload(host, wire, _digest(host, state))
    if wanted.get("authorized_key"):
        from machine.agent.converge import authorized

        wire.begin("login")
        remembered = member.get("authorized") or {}
        remember, lines = authorized.ensure(host, wanted["authorized_key"], _mark(member), remembered)
        if remember != remembered:
            _put(state, {**member, "authorized": remember})
        changed += lines
        wire.done(f"the machine's key may log in as {remember['user']}")
    trust = record.get("signed_by") or _owners(authority, state)
    return {"installed": installed, "engine": engine, "port": port, "changed": changed, "trust": trust}


def leave(host: Host, wire: Wire, state: State, store: str, machine: str) -> dict[str, Any] | None:
    """A store leaves a host that others stay at; None when it is the only one.

    Raises:
        Failed: ``other-store``, ``other-machine``: the host is not this store's.
    """
    owner, others = state.get("owner"), members(state)
    if owner.get("store") == store:
        state.check_owner(store, machine)
        if not others:
            return None
        return _hand_over(host, wire, state)
    member = find(state, store)
    if member is None:
        if store in state.values.get("left", []):
            service.reload(host, wire, _digest(host, state))
            return {"removed": [], "kept": _stay(state)}
        state.check_owner(store, machine)  # says whose it is
        raise Failed("other-store", "this host is another store's")
    if member["machine"] != machine:
        state.check_machine(member, machine)
    rest = [each for each in others if each is not member]
    removed = _shut_out(host, state, member, rest)
    state.values["members"] = rest
    host.write(host.own("ca.pem"), identity.bundle(_owners(host.read(host.own("ca.pem")) or b"", state), state))
    service.reload(host, wire, _digest(host, state))
    left = [*state.values.get("left", []), store][-_REMEMBERED:]
    state.update({"members": rest or None, "left": left})
    wire.done("its clients are shut out; the agent stays for others")
    return {"removed": [*removed, f"the CA of {store}"], "kept": _stay(state)}


def members(state: State) -> list[dict[str, Any]]:
    """The stores beside the owner's."""
    found = state.values.get("members")
    return found if isinstance(found, list) else []


def find(state: State, store: str) -> dict[str, Any] | None:
    """The member that is this store."""
    return next((each for each in members(state) if each["store"] == store), None)


def remove_logins(host: Host, state: State) -> list[str]:
    """All members' lines are gone: the agent goes, and takes everybody along."""
    from machine.agent.converge import authorized

    return [
        line for each in members(state) for line in authorized.remove(host, _mark(each), each.get("authorized") or {})
    ]


def _hand_over(host: Host, wire: Wire, state: State) -> dict[str, Any]:
    """The owner leaves, and the first member takes its place; the certificate stays until that one signs its own."""
    owner = state.get("owner")
    heir, *rest = members(state)
    gone = {**owner, "authorized": state.get("authorized")}
    signer = state.get("certificate").get("signed_by") or _owners(host.read(host.own("ca.pem")) or b"", state)
    removed = _shut_out(host, state, gone, [heir, *rest])
    state.values["members"] = rest
    host.write(host.own("ca.pem"), identity.bundle(heir["ca"], state))
    state.update(
        {
            "owner": {"store": heir["store"], "machine": heir["machine"]},
            "members": rest or None,
            "authorized": heir.get("authorized") or None,
            "certificate": {**state.get("certificate"), "signed_by": signer},
            "left": [*state.values.get("left", []), owner["store"]][-_REMEMBERED:],
        }
    )
    service.reload(host, wire, _digest(host, state))
    wire.done(f"the host is now the machine {heir['machine']} of store {heir['store']}")
    return {"removed": [*removed, f"the CA of {owner['store']}"], "kept": _stay(state)}


def _shut_out(host: Host, state: State, who: dict[str, Any], others: list[dict[str, Any]]) -> list[str]:
    """Remove one's login. Files that were made for it are another's now, where one logs in to the same account."""
    from machine.agent.converge import authorized

    remembered = who.get("authorized") or {}
    removed = authorized.remove(host, _mark(who), {"user": remembered.get("user")})
    for other in others:
        theirs = other.get("authorized") or {}
        if theirs.get("user") == remembered.get("user"):
            other["authorized"] = {**remembered, **theirs}
            break
    return removed


def _stay(state: State) -> list[str]:
    """What stays, and for whom."""
    stores = [state.get("owner"), *members(state)]
    return [f"the agent, for the machine {each['machine']} of store {each['store']}" for each in stores]


def _put(state: State, member: dict[str, Any]) -> None:
    rest = [each for each in members(state) if each["store"] != member["store"]]
    state.put("members", [*rest, member])


def _distinct(ca: str, known: bytes, replaced: str) -> str:
    """A CA that a member brings: of a name that no other one here has, since clients are told apart by it.

    Raises:
        Failed: ``join``: it is none, or pretends to be another store's.
    """
    try:
        subjects = [Certificate(der).subject for der in certificates(ca.encode())]
        old = [Certificate(der).subject for der in certificates(replaced.encode())]
        taken = [Certificate(der).subject for der in certificates(known)]
    except Malformed as error:
        raise Failed("join", "the CA of the store that joins cannot be read", str(error)) from None
    if len(subjects) != 1 or (subjects[0] in taken and subjects != old):
        raise Failed("join", "the CA of the store that joins has the name of one that is let in already")
    return ca


def _owners(bundle: bytes, state: State) -> str:
    """The owner's CA: the first of those in ca.pem."""
    text = bundle.decode("ascii", "replace")
    end = "-----END CERTIFICATE-----"
    return text.partition(end)[0] + end + "\n"


def _digest(host: Host, state: State) -> str:
    certificate, authority = host.read(host.own("cert.pem")), host.read(host.own("ca.pem"))
    owner = state.get("owner")
    return identity_digest(certificate or b"", authority or b"", owner["store"], owner["machine"])


def _mark(member: dict[str, Any]) -> str:
    return f"pymachine:{member['store']}/{member['machine']}"
