"""User data as cloud-init reads it."""

from __future__ import annotations

import email
from email.message import Message
from typing import Any

import yaml  # PyYAML: what cloud-init reads it with

from machine.trust.sshkeys import new_private_key
from machine.userdata import UserData, build

HOST_KEY = new_private_key()
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIC4NncJFuiR1rnPov4gqiRVS3AvxT4+LjtmUH45EOXpj"


def built(**changes: Any) -> bytes:
    return build(UserData(**{"hostname": "web", "authorized_key": KEY, "host_key": HOST_KEY, **changes}))


def parts(data: bytes) -> list[Message]:
    """As cloud-init takes a message apart: text first, whatever the bytes (its ``user_data.convert_string``)."""
    assert b"mime-version:" in data[:4096].lower()
    return [each for each in email.message_from_string(data.decode("utf-8")).walk() if not each.is_multipart()]


def body(part: Message) -> bytes:
    content = part.get_payload(decode=True)
    assert isinstance(content, bytes)
    return content


def types(data: bytes) -> list[str]:
    return [part.get_content_type() for part in parts(data)]


def config(data: bytes) -> dict[str, Any]:
    """Our cloud-config."""
    (ours,) = [part for part in parts(data) if part.get_filename() == "pymachine.yaml"]
    return yaml.safe_load(body(ours))


def own_parts(data: bytes) -> list[Message]:
    return [part for part in parts(data) if part.get_filename() not in ("pymachine.yaml", "pymachine-engine")]
