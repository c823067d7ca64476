"""What this endpoint shows and believes: its certificate and key, the CA, and whose machine it is."""

from __future__ import annotations

import json
import os
import ssl

from machine.agent.identity_digest import identity_digest
from machine.agent.x509 import Certificate, certificates

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Unusable(Exception):
    """There is nothing to serve with; the text says what is missing."""


class Identity:
    """One loaded set; never changed, replaced as a whole."""

    __slots__ = ("context", "digest", "machine", "machines", "store")

    def __init__(
        self, context: ssl.SSLContext, store: str, machine: str, machines: dict[bytes, tuple[str, str]], digest: str
    ) -> None:
        self.context, self.store, self.machine, self.digest = context, store, machine, digest
        self.machines = machines  # by CA: whose clients these are, and what this machine is called there


class Source:
    """Where an identity is loaded from: the agent's directory, and the key, which systemd may hold elsewhere."""

    def __init__(self, directory: str, key: str) -> None:
        self._directory, self._key = directory, key

    def keep_key(self) -> None:
        """Hold the key in memory from now on: after privileges are dropped its file cannot be read again."""
        with open(self._key, "rb") as file:
            self._secret = file.read()

    def unlock_key(self) -> None:
        """After dropping privileges: offer the kept key to OpenSSL, which takes nothing but the name of a file."""
        descriptor = os.memfd_create("key", os.MFD_CLOEXEC)
        os.write(descriptor, self._secret)
        self._key = f"/proc/self/fd/{descriptor}"

    def load(self) -> Identity:
        """Read everything anew.

        Raises:
            Unusable: something is missing or does not fit together.
        """
        certificate, authority = self._path("cert.pem"), self._path("ca.pem")
        try:
            with open(self._path("state.json"), "rb") as file:
                state = json.loads(file.read())
            store, machine = state["owner"]["store"], state["owner"]["machine"]
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            context.verify_mode = ssl.CERT_REQUIRED
            context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
            # A resumed session is not verified again. (With TLS 1.2 a ticket remains: without one Python would keep
            # every session in memory. `peer` looks at the dates itself, and a reload makes all tickets void.)
            context.num_tickets = 0
            context.set_alpn_protocols(["http/1.1"])
            context.load_verify_locations(authority)
            context.load_cert_chain(certificate, self._key)
            believed = _read(authority)
            machines = _by_authority(believed, state)
            digest = identity_digest(_read(certificate), believed, store, machine)
        except (OSError, ssl.SSLError, ValueError, KeyError, TypeError) as error:
            raise Unusable(f"cannot load the certificates in {self._directory}: {error}") from error
        return Identity(context, store, machine, machines, digest)

    def _path(self, name: str) -> str:
        return os.path.join(self._directory, name)


def _by_authority(believed: bytes, state: dict[str, Any]) -> dict[bytes, tuple[str, str]]:
    """Whose CA each of these is, by its name: a member's, as its state says, or else the owner's."""
    owner = state["owner"]["store"], state["owner"]["machine"]
    found = {Certificate(der).subject: owner for der in certificates(believed)}
    for member in state.get("members") or ():
        for der in certificates(member["ca"].encode()):
            subject = Certificate(der).subject
            if subject in found:
                found[subject] = (member["store"], member["machine"])
    return found


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()
