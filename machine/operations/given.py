"""Taking over an endpoint that is somebody else's: no host, no agent, and certificates only if they were given."""

from __future__ import annotations

import typing

from machine.driver import Driver, EndpointDriver, GivenEndpoint
from machine.errors import EndpointUnverified, PreCheckFailed
from machine.model import Endpoint, Instance, Machine, State
from machine.operations.endpoint import ask_engine
from machine.operations.operation import Operation, Step
from machine.store.files import PUBLIC, SECRET
from machine.trust.names import endpoint_url

_FILES = (("ca_cert", "ca.pem", PUBLIC), ("client_cert", "cert.pem", PUBLIC), ("client_key", "key.pem", SECRET))


def take_endpoint(op: Operation, driver: Driver) -> State:
    """Record the endpoint and keep copies of its certificates; one that does not answer now is recorded all the same.

    Returns:
        Running, where it answers with these certificates; else Unknown.
    """
    with op.step("endpoint") as step:  # on disk with its begin: what the step before found
        machine = op.store.machines.get(op.machine)
        instance = typing.cast(Instance, machine.instance)  # the step before made it
        given = typing.cast(EndpointDriver, driver).endpoint(instance)
        if given.ca_cert is not None:
            _copy_certificates(op, given)
        url = endpoint_url(given.host, given.port)
        route = "plain" if given.ca_cert is None else "given"
        op.store.journal.record_endpoint(op.entry, Endpoint(url=url, route=route))
        step.summary = url
        return State.UNKNOWN if route == "plain" else _look(op, step, given)


def await_endpoint(op: Operation, machine: Machine) -> None:
    """Wait until an endpoint that is somebody else's answers again.

    Raises:
        EndpointUnverified: what the last answer was.
    """
    endpoint, address = machine.endpoint, machine.address or ""
    if endpoint is None or endpoint.route == "plain":
        return
    files, port = op.store.files(machine.name), endpoint.port
    with op.step("endpoint") as step:
        health = op.deadline.retry(
            lambda: ask_engine(address, port, files, op.deadline),
            retryable=lambda error: isinstance(error, EndpointUnverified) and error.layer != "files",
            first=0.1,
            longest=1.0,
        )
        step.summary = f"{endpoint.url}, docker {health.engine_version}"


def follow_endpoint(op: Operation, before: Machine) -> None:
    """Find an endpoint that is somebody else's again, after its host was started.

    At a new address its certificate does not hold any more, and nobody here can make another one: that is said, and
    the address recorded. The agent, which can, comes when somebody asks for it.

    Args:
        before: the machine as it was before that.

    Raises:
        EndpointUnverified: it does not answer at the address that it had.
    """
    now = op.store.machines.get(op.machine)
    if now.address == before.address or before.endpoint is None or now.address is None:
        await_endpoint(op, now)
        return
    with op.step("endpoint") as step:
        url = endpoint_url(now.address, before.endpoint.port)
        op.store.journal.record_endpoint(op.entry, Endpoint(url=url, route=before.endpoint.route))
        step.warn(
            f"it has a new address, and its certificate is for {before.address}:"
            f" one for {now.address} comes with pymachine provision {now.name}"
        )
        step.summary = url


def _copy_certificates(op: Operation, given: GivenEndpoint) -> None:
    files = op.files
    for field, name, mode in _FILES:
        path = getattr(given, field)
        try:
            with open(path, "rb") as file:
                content = file.read()
        except OSError as error:
            raise PreCheckFailed(f"cannot read {path}", cause=error.strerror) from error
        files.write(name, content, mode)


def _look(op: Operation, step: Step, given: GivenEndpoint) -> State:
    try:
        health = ask_engine(given.host, given.port, op.store.files(op.machine), op.deadline)
    except EndpointUnverified as error:
        step.warn(f"recorded, and it does not answer now: {error} ({error.cause})")
        return State.UNKNOWN
    engine = f"docker {health.engine_version}"
    op.store.journal.record_converged(op.entry, port=given.port, engine=engine, facts={})
    step.summary += f", {engine}"
    return State.RUNNING
