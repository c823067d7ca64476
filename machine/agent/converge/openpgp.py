"""As much of OpenPGP (RFC 4880) as it takes to know a public key by its fingerprint: armor, packets, version 4's SHA-1.

Whether a signature is good is apt's to say. Here it is made sure that the key apt will believe is the one pinned.
"""

from __future__ import annotations

import base64
import binascii
import hashlib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_BEGIN, _END = "-----BEGIN PGP PUBLIC KEY BLOCK-----", "-----END PGP PUBLIC KEY BLOCK-----"
_PUBLIC_KEY = 6
_SECRET = (5, 7)
_MAX_KEYS = 64


class NotAKey(ValueError):
    """These bytes are no public key that can be told by its fingerprint."""


def binary(data: bytes) -> bytes:
    """A key without its armor.

    Raises:
        NotAKey: the armor is damaged.
    """
    if data[:1] >= b"\x80":  # every packet begins so, and no text does
        return data
    text = data.decode("ascii", "replace").replace("\r", "")
    _, begun, body = text.partition(_BEGIN)
    body, ended, rest = body.partition(_END)
    if not begun or not ended or _BEGIN in rest:
        raise NotAKey("it is not one OpenPGP public key block")
    lines = body.partition("\n\n")[2].split("\n")
    try:
        return base64.b64decode("".join(line for line in lines if not line.startswith("=")), validate=True)
    except binascii.Error as error:
        raise NotAKey(f"its armor is damaged: {error}") from None


def fingerprints(data: bytes) -> list[str]:
    """The fingerprint of each primary key: every one of them would be believed.

    Args:
        data: without armor.

    Raises:
        NotAKey: it holds something else, or a key of another version than 4.
    """
    found = []
    for tag, body in _packets(data):
        if tag in _SECRET:
            raise NotAKey("it holds a secret key")
        if tag == _PUBLIC_KEY:
            if body[:1] != b"\x04":
                raise NotAKey(f"it is a key of version {body[0] if body else '?'}, not 4")
            found.append(hashlib.sha1(b"\x99" + len(body).to_bytes(2, "big") + body).hexdigest().upper())  # noqa: S324
    if not found or len(found) > _MAX_KEYS:
        raise NotAKey("it holds no public key")
    return found


def _packets(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Tag and body of each packet; partial lengths are not for keys."""
    at = 0
    while at < len(data):
        head = data[at]
        if head & 0x40:
            tag, first = head & 0x3F, data[at + 1 : at + 2]
            if not first or 224 <= first[0] < 255:
                raise NotAKey("it is cut short, or in pieces")
            size, count = first[0], 1
            if 192 <= size < 224:
                size, count = ((size - 192) << 8) + int.from_bytes(data[at + 2 : at + 3], "big") + 192, 2
            elif size == 255:
                size, count = int.from_bytes(data[at + 2 : at + 6], "big"), 5
        else:
            tag, count = head >> 2 & 0x0F, 1 << (head & 3)
            size = int.from_bytes(data[at + 1 : at + 1 + count], "big")
        start = at + 1 + count
        if not head & 0x80 or count > 5 or start + size > len(data):
            raise NotAKey("it is cut short, or no OpenPGP at all")
        yield tag, data[start : start + size]
        at = start + size
