"""As much of X.509 as the agent needs: how long a certificate lives, whose key it is for, what for, and its URI names.

The standard library has no parser for certificates. What comes here was either verified by OpenSSL (a client's) or
given by the operator (our own), so this reader is strict and small: DER with definite lengths, nothing else.
"""

from __future__ import annotations

import base64
from datetime import datetime, timezone

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

CLIENT_AUTH = bytes.fromhex("2b06010505070302")  # 1.3.6.1.5.5.7.3.2
SERVER_AUTH = bytes.fromhex("2b06010505070301")
_EXTENDED_KEY_USAGE = bytes.fromhex("551d25")  # 2.5.29.37
_SUBJECT_ALT_NAME = bytes.fromhex("551d11")  # 2.5.29.17
_SEQUENCE, _OID, _OCTETS, _UTC_TIME, _TIME = 0x30, 0x06, 0x04, 0x17, 0x18
_VERSION, _EXTENSIONS, _URI = 0xA0, 0xA3, 0x86


class Malformed(ValueError):
    """These bytes are no certificate this reader understands."""


class Certificate:
    """What was read: ``not_before`` and ``not_after`` in epoch seconds, ``usages`` as raw OIDs, ``uris``; and the names
    of ``issuer`` and ``subject``, and the public ``key``, as they are encoded, to be compared.
    """

    __slots__ = ("issuer", "key", "not_after", "not_before", "subject", "uris", "usages")

    def __init__(self, der: bytes) -> None:
        """Read one certificate.

        Raises:
            Malformed: it is none, or is encoded in a way DER does not allow.
        """
        self.usages: frozenset[bytes] = frozenset()
        self.uris: tuple[str, ...] = ()
        outer = _only(der, _SEQUENCE)
        fields = list(_items(next(_items(outer), (0, b""))[1]))
        if fields and fields[0][0] == _VERSION:
            del fields[0]
        if len(fields) < 6:
            raise Malformed("too few fields")
        # serial, algorithm, issuer, validity, subject, key, then what is optional
        self.issuer, self.subject, self.key = fields[2][1], fields[4][1], fields[5][1]
        times = list(_items(fields[3][1]))
        if len(times) != 2:
            raise Malformed("no validity")
        self.not_before, self.not_after = _time(times[0]), _time(times[1])
        for tag, value in fields[6:]:
            if tag == _EXTENSIONS:
                for _, extension in _items(_only(value, _SEQUENCE)):
                    self._read_extension(extension)

    def _read_extension(self, extension: bytes) -> None:
        parts = list(_items(extension))
        if len(parts) < 2 or parts[0][0] != _OID or parts[-1][0] != _OCTETS:
            raise Malformed("not an extension")
        if parts[0][1] == _EXTENDED_KEY_USAGE:
            self.usages = frozenset(value for tag, value in _items(_only(parts[-1][1], _SEQUENCE)) if tag == _OID)
        elif parts[0][1] == _SUBJECT_ALT_NAME:
            names = _items(_only(parts[-1][1], _SEQUENCE))
            self.uris = tuple(value.decode("ascii", "replace") for tag, value in names if tag == _URI)


def certificates(pem: bytes) -> list[bytes]:
    """The certificates in a PEM file, DER.

    Raises:
        Malformed: one is damaged.
    """
    return _blocks(pem, b"CERTIFICATE")


def public_key(pem: bytes) -> bytes:
    """A public key in PEM (SubjectPublicKeyInfo), as `Certificate` has its own.

    Raises:
        Malformed: it is none.
    """
    return _only(b"".join(_blocks(pem, b"PUBLIC KEY")), _SEQUENCE)


def _blocks(pem: bytes, kind: bytes) -> list[bytes]:
    found = []
    for piece in pem.split(b"-----BEGIN %b-----" % kind)[1:]:
        text, end, _ = piece.partition(b"-----END %b-----" % kind)
        try:
            found.append(base64.b64decode(b"".join(text.split()), validate=True))
        except ValueError as error:
            raise Malformed(str(error)) from None
        if not end:
            raise Malformed("cut short")
    return found


def _only(data: bytes, wanted: int) -> bytes:
    items = list(_items(data))
    if len(items) != 1 or items[0][0] != wanted:
        raise Malformed("unexpected structure")
    return items[0][1]


def _items(data: bytes) -> Iterator[tuple[int, bytes]]:
    at, end = 0, len(data)
    while at < end:
        if end - at < 2 or data[at] & 0x1F == 0x1F:
            raise Malformed("cut short, or a tag of several bytes")
        tag, length = data[at], data[at + 1]
        at += 2
        if length & 0x80:
            count = length & 0x7F
            if not 1 <= count <= 4 or at + count > end:
                raise Malformed("a length DER does not allow")
            length = int.from_bytes(data[at : at + count], "big")
            at += count
        if at + length > end:
            raise Malformed("cut short")
        yield tag, data[at : at + length]
        at += length


def _time(item: tuple[int, bytes]) -> float:
    """Not by ``strptime``: its first call imports 5 ms of modules, and every client pays for two more."""
    tag, value = item
    digits = value[:-1]
    if tag == _UTC_TIME:
        digits = (b"20" if digits[:2] < b"50" else b"19") + digits  # RFC 5280, 4.1.2.5.1
    elif tag != _TIME:
        raise Malformed("not a time")
    if len(digits) != 14 or value[-1:] != b"Z" or not digits.isdigit():
        raise Malformed("not a time")
    month, day, hour, minute, second = (int(digits[at : at + 2]) for at in range(4, 14, 2))
    try:
        return datetime(int(digits[:4]), month, day, hour, minute, second, tzinfo=timezone.utc).timestamp()
    except ValueError as error:
        raise Malformed("not a time") from error
