"""Bringing the agent to a host and making the host as wanted: one channel of the operation's connection."""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Callable, Mapping
from typing import Any

from machine.bootstrap import session
from machine.bootstrap.stub import command as bootstrap_command
from machine.errors import DriverError
from machine.model import Machine
from machine.operations.consent import consent_of
from machine.operations.enginesecrets import put_back
from machine.operations.enginesettings import wanted_engine
from machine.operations.hostconnection import MACHINE_KEY
from machine.operations.hostkey import HostKeyReplacement
from machine.operations.operation import Operation, Step
from machine.operations.operatorname import operator_name
from machine.ssh.connection import Connection
from machine.store.files import PUBLIC
from machine.trust.certificates import Authority, sign_server
from machine.trust.sshkeys import public_line

DEFAULT_PORT = 2376
FALLBACK_PORT = 2378  # where an engine with TLS of its own has the other one
_PROXIES = ("http_proxy", "https_proxy", "no_proxy")
_LOOPBACK = re.compile(r"//([^@/]*@)?(localhost|127\.[0-9.]+|\[::1\])([:/]|$)", re.IGNORECASE)


def converge_host(
    op: Operation,
    step: Step,
    machine: Machine,
    connection: Connection,
    authority: Authority,
    *,
    ours: bool,
    take_port: bool,
) -> tuple[Machine, bytes | None]:
    """Send the agent if it is missing, make the host as wanted, sign its key, record what it said.

    Args:
        authority: the store's.
        ours: the host was made by its driver, and for this: nobody need be asked to change it.
        take_port: an engine that holds our port shall leave it.

    Returns:
        The machine, and whose certificate its endpoint shows where that is not this store's: the CA to trust for it.

    Raises:
        ConsentNeeded: the engine's configuration must change for that, and nobody agreed.
        BootstrapFailed, HostUnreachable, DeadlineExceeded.
    """
    assert machine.instance is not None  # noqa: S101 - the step before made it
    names = certificate_names(machine)

    def sign(public_key: str) -> session.SignedCertificate:
        certificate = sign_server(authority, public_key.encode(), store=op.store.id, machine=machine.name, names=names)
        op.files.write("server.pem", certificate, PUBLIC)
        return session.SignedCertificate(certificate.decode(), authority.pem.decode())

    wanted = wanted_document(op, machine, connection.user)
    wanted["endpoint"]["take"] = take_port
    wanted["certificate"] = {"ca": authority.pem.decode(), "names": names}
    if op.kind == "regenerate-certs":
        wanted["certificate"]["renew"] = True
    new_key = HostKeyReplacement(op, machine, connection)
    wanted.update(new_key.wanted())
    sudo = connection.user != "root"
    with connection.open(bootstrap_command(sudo), op.deadline) as channel:
        host = session.converge(
            channel,
            wanted,
            sign=sign,
            emit=host_events(op, step),
            consent=consent_of(op, ours=ours),
            pin=new_key.pin,
            sudo=sudo,
        )
    machine = new_key.done()
    assert machine.instance is not None  # noqa: S101 - as above
    access = dataclasses.replace(machine.instance.access, machine_key_installed=True)
    engine = f"{host.engine_kind} {host.engine_version}"
    origin = {"source": host.engine_source, "package": host.engine_package, "version": host.engine_package_version}
    facts = {**host.facts, "engine": origin}
    reached = dataclasses.replace(machine.instance, access=access)
    op.store.journal.record_converged(
        op.entry, port=host.port, engine=engine, facts=facts, instance=reached, at_once=False
    )
    step.result.update(
        engine=engine,
        engine_source=host.engine_source,
        engine_package=host.engine_package,
        engine_package_version=host.engine_package_version,
        agent=host.agent_version,
        agent_sent=host.agent_sent,
        changed=list(host.changed),
        installed=list(host.installed),
    )
    step.summary = f"{engine} ({host.engine_source})"
    if host.owner is not None:
        step.summary += f", together with store {host.owner}"
    converged = dataclasses.replace(machine, port=host.port, engine=engine, facts=facts, instance=reached)
    return converged, host.trust.encode() if host.trust is not None else None


def wanted_document(op: Operation, machine: Machine, user: str) -> dict[str, Any]:
    """What the agent is asked to make true; it travels on stdin only."""
    assert machine.instance is not None  # noqa: S101 - the step before made it
    document: dict[str, Any] = {
        "store": op.store.id,
        "machine": machine.name,
        "operator": operator_name(),
        "endpoint": {"port": machine.instance.data.get("engine_port", DEFAULT_PORT)},
        "engine": _wanted_engine(op, machine),
        "environment": proxy_environment(os.environ),
        "deadline": op.deadline.remaining(),
        "join": machine.spec.join,
    }
    if "engine_port" not in machine.spec.sources:  # else: this port and no other
        document["endpoint"]["fallback"] = FALLBACK_PORT
    private_key = op.store.files(machine.name).read(MACHINE_KEY)
    if private_key is not None:
        document["authorized_key"] = {"user": user, "key": public_line(private_key)}
    return document


def _wanted_engine(op: Operation, machine: Machine) -> dict[str, Any]:
    # Taking the agent away needs no settings, and must not fail for want of a password.
    engine = machine.spec.engine if op.kind == "remove" else put_back(op.files, machine.spec.engine)
    return wanted_engine(engine, changes=_may_set_engine(op, machine))


def _may_set_engine(op: Operation, machine: Machine) -> bool:
    """Whether its settings are ours to make; where another program made the machine, it has made them, its own way."""
    return op.kind in ("create", "provision") and not machine.taken_over


def certificate_names(machine: Machine) -> list[str]:
    """The names of the server's certificate: from the driver and the operator, never from the host."""
    if machine.instance is None:
        raise DriverError("the driver has not said where the machine is", machine=machine.name)
    wanted = [machine.instance.address, *machine.spec.tls_san, machine.name, "localhost"]
    return list(dict.fromkeys(wanted))


def proxy_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The operator's proxy, for the host's package manager; one on the operator's own loopback is no use there."""
    found: dict[str, str] = {}
    for name in _PROXIES:
        value = environ.get(name) or environ.get(name.upper())
        if value and not _LOOPBACK.search(value):
            found[name] = value
    return found if set(found) - {"no_proxy"} else {}


def host_events(op: Operation, step: Step) -> Callable[[str, str, str, float], None]:
    """What the host reports, as events of the step."""

    def report(_name: str, status: str, text: str, _elapsed: float) -> None:
        if text:
            op.report(step, "warning" if status == "warning" else "progress", text)

    return report
