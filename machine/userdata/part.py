"""One part of a MIME message, as cloud-init reads it; the message's bytes depend on nothing but its parts."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

# Without it, cloud-init replaces the lists of earlier parts: the keys of one would shut out those of the other.
# https://cloudinit.readthedocs.io/en/latest/reference/merging.html
MERGE_TYPE = "list(append)+dict(recurse_array)+str()"
_PLAIN = frozenset(range(0x20, 0x7F)) | set(b"\t\n")


@dataclass(frozen=True, slots=True)
class Part:
    """What one handler of cloud-init gets."""

    content_type: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))  # besides the content's own
    config: Mapping[str, Any] | None = None  # what a cloud-config says, where it could be read here


def message(parts: Sequence[Part]) -> bytes:
    """A multipart message. Its boundary is made from the parts: always the same for them, and in none of them."""
    bodies = [_body(part) for part in parts]
    boundary = "pymachine-" + hashlib.sha256(b"\n".join(bodies)).hexdigest()[:32]
    head = f'Content-Type: multipart/mixed; boundary="{boundary}"\nMIME-Version: 1.0\n'.encode()
    return head + b"".join(f"\n--{boundary}\n".encode() + body for body in bodies) + f"\n--{boundary}--\n".encode()


def header(text: object) -> str:
    """A value that is one line of printable ASCII, whatever it was."""
    return " ".join("".join(each if " " <= each <= "~" else " " for each in str(text)).split())


def _body(part: Part) -> bytes:
    """Headers and content. Plain lines stay readable, and small; all else would be changed by a parser on its way."""
    plain = _PLAIN.issuperset(part.body)
    encoded = part.body if plain else base64.encodebytes(part.body)
    headers = {
        "Content-Type": part.content_type,
        "Content-Transfer-Encoding": "7bit" if plain else "base64",
        "Merge-Type": MERGE_TYPE,
        **part.headers,
    }
    return "".join(f"{name}: {header(value)}\n" for name, value in headers.items()).encode() + b"\n" + encoded
