"""The SSH connection of an operation: to a machine's host, with the key that is pinned or gets pinned now."""

from __future__ import annotations

import contextlib
import dataclasses
import re
from collections.abc import Callable, Iterator

from machine.deadline import Deadline
from machine.driver import Capabilities
from machine.errors import HostKeyRejected, HostUnreachable
from machine.model import Machine
from machine.operations.operation import Operation, Step
from machine.ssh.connection import Connection
from machine.ssh.credentials import AskPassphrase, never_ask
from machine.ssh.reach import reach
from machine.store.files import PUBLIC
from machine.store.store import Store
from machine.trust.sshkeys import fingerprint

MACHINE_KEY = "id_ed25519"
KNOWN_HOSTS = "known_hosts"
INJECTED = "injected_host_key"  # among a driver's notes: the public line of a host key that came in user data
_SOURCES = {
    "pinned": "as recorded",
    "fingerprint": "as you gave it",
    "known_hosts": "as your known_hosts says",
    "first-use": "trusted on first use and recorded",
}


def connect_to_host(
    op: Operation, step: Step, machine: Machine, capabilities: Capabilities, *, patient: bool
) -> Connection:
    """Connect, verify the host's key and pin it; the connection lives as long as the operation.

    Args:
        patient: the host may still be booting.

    Raises:
        HostUnreachable, HostKeyRejected, LoginRefused.
    """
    assert machine.instance is not None  # noqa: S101 - the step before made it
    pinned = pinned_of(op.store, machine)
    seen: list[str] = []

    def waiting(error: Exception) -> None:
        layer = error.layer if isinstance(error, HostUnreachable) else ""
        if layer not in seen:
            seen.append(layer)
            step.progress(f"waiting for SSH: {error}")

    connection: Connection = op.share(
        open_connection(
            op.store,
            machine,
            capabilities,
            op.deadline,
            patient=patient,
            ask_passphrase=op.settings.ask_passphrase,
            on_retry=waiting,
        )
    )
    verdict = connection.verdict
    _write_known_hosts(op, machine, connection, pinned or (verdict.key,))
    reached = as_reached(op.store, machine, connection)
    if reached.instance is not machine.instance:
        assert reached.instance is not None  # noqa: S101 - as above
        op.store.journal.record_instance(op.entry, reached.instance, at_once=False)
    step.result["host_key"] = verdict.fingerprint
    step.summary = (
        f"{connection.user}@{connection.host}, host key {fingerprint(verdict.key)} ({_SOURCES[verdict.source]})"
    )
    return connection


def as_reached(store: Store, machine: Machine, connection: Connection) -> Machine:
    """The machine as `connect_to_host` found it, which is recorded with the next write only: no reader sees it yet."""
    assert machine.instance is not None  # noqa: S101 - there is a connection to it
    access, found = machine.instance.access, (connection.host, connection.user, connection.port)
    if (access.address, access.user, access.port) == found:
        return machine
    address, user, port = found
    keys = pinned_of(store, machine)
    access = dataclasses.replace(access, address=address, user=user, port=port, host_keys=keys)
    return dataclasses.replace(machine, instance=dataclasses.replace(machine.instance, access=access))


def open_connection(
    store: Store,
    machine: Machine,
    capabilities: Capabilities,
    deadline: Deadline,
    *,
    patient: bool = False,
    ask_passphrase: AskPassphrase = never_ask,
    on_retry: Callable[[Exception], None] | None = None,
) -> Connection:
    """Connect to a machine's host, with its own key once that is accepted there; nothing is recorded.

    Raises:
        HostUnreachable, HostKeyRejected, LoginRefused.
    """
    assert machine.instance is not None  # noqa: S101 - the caller looked
    access, pinned = machine.instance.access, pinned_of(store, machine)
    if capabilities.inject_host_key and not pinned and not machine.taken_over:
        raise HostKeyRejected(
            f"no host key of {machine.name} is recorded, and one that nobody vouches for is not believed",
            hint=f"remove the machine and create it again: pymachine rm {machine.name}",
        )
    with _naming_the_firewall(machine, capabilities):
        return reach(
            access.host,
            port=access.port,
            user=access.user,
            deadline=deadline,
            machine_key=store.files(machine.name).path(MACHINE_KEY) if access.machine_key_installed else None,
            identity_file=store.files(machine.name).path(access.identity_file) if access.identity_file else None,
            pinned=pinned,
            fingerprint=access.host_key_fingerprint,
            accept_first=machine.spec.host_key_policy == "first-use",
            through_config=capabilities.local_rank is None,
            patient=patient,
            ask_passphrase=ask_passphrase,
            on_retry=on_retry,
        )


def pinned_of(store: Store, machine: Machine) -> tuple[str, ...]:
    """The host keys that are believed, public lines; empty where none is known yet."""
    assert machine.instance is not None  # noqa: S101 - the caller looked
    recorded = machine.instance.access.host_keys
    known = pinned_keys(store.files(machine.name).read(KNOWN_HOSTS), _comment(machine.instance.id))
    if machine.instance.data.get(INJECTED):  # a driver that was asked again knows only the key that it gave the host
        return known or recorded
    return recorded or known


def pin(op: Operation, machine: Machine, connection: Connection, keys: tuple[str, ...], *, final: bool) -> Machine:
    """Believe these host keys and no others, durably.

    Args:
        final: the one that came in user data is not needed any more, and not among them.
    """
    assert machine.instance is not None  # noqa: S101 - there is a connection to it
    _write_known_hosts(op, machine, connection, keys)
    instance = machine.instance
    data = {name: value for name, value in instance.data.items() if name != INJECTED} if final else instance.data
    access = dataclasses.replace(instance.access, host_keys=keys)
    op.store.journal.record_instance(op.entry, dataclasses.replace(instance, access=access, data=data))
    return op.store.machines.get(machine.name)


def _write_known_hosts(op: Operation, machine: Machine, connection: Connection, keys: tuple[str, ...]) -> None:
    assert machine.instance is not None  # noqa: S101 - there is a connection to it
    names = ",".join(dict.fromkeys((machine.name, machine.instance.access.host, connection.host)))
    whose = _comment(machine.instance.id)
    content = "".join(f"{names} {key} {whose}\n" for key in keys).encode()
    if op.files.read(KNOWN_HOSTS) != content:
        op.files.write(KNOWN_HOSTS, content, PUBLIC)


@contextlib.contextmanager
def _naming_the_firewall(machine: Machine, capabilities: Capabilities) -> Iterator[None]:
    """Where packets get lost on their way, it may be that the operator has moved, and is a stranger to the provider."""
    try:
        yield
    except HostUnreachable as error:
        if capabilities.firewall and error.layer == "route":
            more = f"has your address changed since? pymachine allow {machine.name}"
            error.hint = f"{error.hint}; {more}" if error.hint else more
        raise


def pinned_keys(known_hosts: bytes | None, comment: str | None = None) -> tuple[str, ...]:
    """The public key lines of a machine's own known_hosts file.

    Args:
        comment: only lines that have this one: a create that goes on may find its instance gone and make another.
    """
    rows = [line.split() for line in (known_hosts or b"").decode("ascii", "replace").splitlines()]
    return tuple(" ".join(row[1:3]) for row in rows if len(row) >= 3 and (not comment or row[3:] == [comment]))


def _comment(instance: str) -> str:
    """Whose keys these are: an id, as one word of ASCII."""
    return re.sub(r"[^!-~]", "_", instance)
