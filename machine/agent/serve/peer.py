"""Who a client is: its certificate chains to our CA (OpenSSL checked that), and now: is it one for *this* machine?

OpenSSL, and so Python, accepts a client certificate without an extended key usage, and knows nothing of our names.
"""

from __future__ import annotations

import time

from machine.agent.x509 import CLIENT_AUTH, Certificate, Malformed


class Refused(Exception):
    """This client may not come in; the text says why and goes to the journal."""


class Peer:
    """A client that was let in."""

    __slots__ = ("role",)

    def __init__(self, role: str) -> None:
        self.role = role  # what the certificate says, "" when it says nothing; nothing is enforced by it yet


def identify(der: bytes | None, machines: dict[bytes, tuple[str, str]], now: float | None = None) -> Peer:
    """Judge a verified certificate.

    Args:
        der: what the client showed, already verified against our CAs.
        machines: each CA's name, as it is encoded, with its store's id and what this machine is called there.

    Raises:
        Refused: no clientAuth usage, expired, or not for this machine.
    """
    if not der:
        raise Refused("no client certificate")
    try:
        certificate = Certificate(der)
    except Malformed as error:
        raise Refused(f"a certificate that cannot be read: {error}") from None
    now = time.time() if now is None else now
    # Checked by OpenSSL in a full handshake, but not when a session of TLS 1.2 is resumed.
    if not certificate.not_before <= now <= certificate.not_after:
        raise Refused("the certificate has expired or is not valid yet")
    if CLIENT_AUTH not in certificate.usages:
        raise Refused("the certificate is not for clients (no extended key usage clientAuth)")
    if certificate.issuer not in machines:
        raise Refused("the certificate is not directly from a CA that is let in here")
    store, machine = machines[certificate.issuer]
    prefix = f"pymachine:{store}/"
    if not {f"{prefix}machine/{machine}", f"{prefix}machine/*"}.intersection(certificate.uris):
        named = ", ".join(certificate.uris) or "no machine"
        raise Refused(f"the certificate is not for this machine ({machine} of store {store}) but names {named}")
    roles = [uri[len(prefix) + 5 :] for uri in certificate.uris if uri.startswith(f"{prefix}role/")]
    return Peer(roles[0] if roles else "")
