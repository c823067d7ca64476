"""SSH keys as bytes: the machine's own Ed25519 key, and fingerprints as OpenSSH prints them."""

from __future__ import annotations

import base64
import functools
import hashlib

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from machine.errors import UsageError


def new_private_key() -> bytes:
    """A new Ed25519 private key in OpenSSH's format."""
    return Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )


@functools.lru_cache(maxsize=128)  # a create asks three times, and of many side by side each has its own
def public_line(private_key: bytes) -> str:
    """The public half of an unencrypted OpenSSH private key, as it stands in ``authorized_keys``, without comment."""
    key = serialization.load_ssh_private_key(private_key, password=None)
    return (
        key.public_key()
        .public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
        .decode("ascii")
    )


def fingerprint(public_line: str) -> str:
    """``SHA256:…`` of a public key line ("ssh-ed25519 AAAA…"), as ``ssh-keygen -l`` prints it.

    Raises:
        UsageError: it is no public key line.
    """
    try:
        blob = base64.b64decode(public_line.split()[1], validate=True)
    except (IndexError, ValueError) as error:
        raise UsageError(f"not an SSH public key: {public_line[:80]!r}") from error
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode("ascii").rstrip("=")


def check_fingerprint(text: str) -> str:
    """A host key fingerprint as the operator gave it.

    Raises:
        ValueError: it is not ``SHA256:`` and 43 characters.
    """
    digest = text.removeprefix("SHA256:").rstrip("=")
    try:
        complete = text.startswith("SHA256:") and len(base64.b64decode(digest + "=", validate=True)) == 32
    except ValueError:
        complete = False
    if not complete:
        raise ValueError(
            f"{text!r} is not a host key fingerprint; it looks like SHA256:… and is printed on the host by"
            " ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub"
        )
    return f"SHA256:{digest}"
