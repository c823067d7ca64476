"""The SSH connection of an operation: to a machine's host, with the key that is pinned or gets pinned now."""

from __future__ import annotations

import dataclasses

from machine.driver import Capabilities
from machine.errors import HostUnreachable
from machine.model import Machine
from machine.operations.operation import Operation, Step
from machine.ssh.connection import Connection
from machine.ssh.reach import reach
from machine.store.files import PUBLIC
from machine.trust.sshkeys import fingerprint

MACHINE_KEY = "id_ed25519"
KNOWN_HOSTS = "known_hosts"
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
    access = machine.instance.access
    files = op.store.files(machine.name)
    pinned = access.host_keys or pinned_keys(files.read(KNOWN_HOSTS))
    seen: list[str] = []

    def waiting(error: Exception) -> None:
        layer = error.layer if isinstance(error, HostUnreachable) else ""
        if layer not in seen:
            seen.append(layer)
            step.progress(f"waiting for SSH: {error}")

    connection: Connection = op.share(
        reach(
            access.host,
            port=access.port,
            user=access.user,
            deadline=op.deadline,
            machine_key=files.path(MACHINE_KEY) if access.machine_key_installed else None,
            identity_file=access.identity_file,
            pinned=pinned,
            fingerprint=access.host_key_fingerprint,
            accept_first=machine.spec.host_key_policy == "first-use",
            through_config=capabilities.local_rank is None,
            patient=patient,
            ask_passphrase=op.settings.ask_passphrase,
            on_retry=waiting,
        )
    )
    verdict = connection.verdict
    keys = pinned or (verdict.key,)
    names = ",".join(dict.fromkeys((machine.name, access.host, connection.host)))
    files.write(KNOWN_HOSTS, "".join(f"{names} {key}\n" for key in keys).encode(), PUBLIC)
    if access.address != connection.host or access.user != connection.user or access.port != connection.port:
        access = dataclasses.replace(
            access, address=connection.host, user=connection.user, port=connection.port, host_keys=tuple(keys)
        )
        op.store.journal.record_instance(op.entry, dataclasses.replace(machine.instance, access=access))
    step.result["host_key"] = verdict.fingerprint
    step.summary = (
        f"{connection.user}@{connection.host}, host key {fingerprint(verdict.key)} ({_SOURCES[verdict.source]})"
    )
    return connection


def pinned_keys(known_hosts: bytes | None) -> tuple[str, ...]:
    """The public key lines of a machine's own known_hosts file."""
    lines = (known_hosts or b"").decode("ascii", "replace").splitlines()
    return tuple(" ".join(line.split()[1:3]) for line in lines if len(line.split()) >= 3)
