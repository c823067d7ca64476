"""One name for all an endpoint shows and believes: how converge sees whether the service runs with the newest."""

import hashlib


def identity_digest(certificate: bytes, authority: bytes, store: str, machine: str) -> str:
    """SHA-256 over certificate and CA as they are in their files, and whose machine it is."""
    total = hashlib.sha256()
    for part in (certificate, authority, store.encode(), machine.encode()):
        total.update(hashlib.sha256(part).digest())
    return total.hexdigest()
