"""The operator's own user data, in any form cloud-init takes, as parts beside ours.

Forms and their types: https://cloudinit.readthedocs.io/en/latest/explanation/format.html. What holds others (a MIME
message, an archive, something compressed) is taken apart, so that each part is merged with the rest.
"""

from __future__ import annotations

import email
import gzip
import io
import zlib
from collections.abc import Iterator, Mapping
from email.message import Message
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from machine.userdata.part import Part, header

# How each begins. The longest first: "#include-once" is no "#include".
_FORMS = {
    "#cloud-config-archive": "text/cloud-config-archive",
    "#cloud-config-jsonp": "text/cloud-config-jsonp",
    "## template: jinja": "text/jinja2",
    "#cloud-boothook": "text/cloud-boothook",
    "#include-once": "text/x-include-once-url",
    "#cloud-config": "text/cloud-config",
    "#part-handler": "text/part-handler",
    "#include": "text/x-include-url",
    "#!": "text/x-shellscript",
}
_UNTYPED = ("text/plain", "text/x-not-multipart", "application/octet-stream")  # the content says what it is
_GZIP = b"\x1f\x8b"
_LARGEST = 1 << 20  # bytes, of what was compressed
_DEEPEST = 4  # messages in archives in messages
_KEPT = ("Merge-Type", "X-Merge-Type", "Launch-Index")
_DISTINGUISHED = (
    "a gzip of one, a MIME message, or text that begins with #cloud-config, #!, #include, #cloud-boothook, "
)
_DISTINGUISHED += "#cloud-config-archive, #part-handler or ## template: jinja"


def check_own(own: bytes) -> None:
    """Whether these can be a host's user data, together with ours.

    Raises:
        ValueError: with the reason: a form that is not known, YAML that is none, or what would shut us out.
    """
    own_parts(own)


def own_parts(own: bytes) -> list[Part]:
    """The parts of the operator's own user data, in their order.

    Raises:
        ValueError: see `check_own`.
    """
    return list(_parts(own, {}, 0))


def _parts(data: bytes, headers: Mapping[str, str], depth: int, content_type: str = "") -> Iterator[Part]:
    """What one piece of data is made of.

    Args:
        headers: what was said about it where it was found.
        content_type: likewise; empty: it says so itself.
    """
    if depth > _DEEPEST:
        raise ValueError("the user data holds messages in messages without end")
    if data.startswith(_GZIP):
        yield from _parts(_unpacked(data), headers, depth + 1)
        return
    form = content_type or _form(data)
    if not form and b"mime-version:" in data[:4096].lower():  # cloud-init's own test
        yield from _of_message(email.message_from_bytes(data), headers, depth)
    elif not form:
        raise ValueError(f"the user data has no form that cloud-init knows: {_DISTINGUISHED}")
    elif form == "text/cloud-config-archive":
        yield from _of_archive(_yaml(data), depth)
    else:
        config = _checked(_yaml(data)) if form == "text/cloud-config" else None
        if form == "text/jinja2" and not _form(data.partition(b"\n")[2]):
            raise ValueError(f"the template in the user data has, below its first line, no form: {_DISTINGUISHED}")
        yield Part(form, data, headers, config)


def _form(data: bytes) -> str:
    """The type that the first line says; empty when it says none."""
    start = data[:256].decode("utf-8", "replace").lstrip().lower()
    return next((form for begin, form in _FORMS.items() if start.startswith(begin)), "")


def _of_message(message: Message, headers: Mapping[str, str], depth: int) -> Iterator[Part]:
    leaves = [each for each in message.walk() if not each.is_multipart()]
    if message.get_content_maintype() == "multipart" and not message.is_multipart():
        raise ValueError("the user data is a MIME message without its boundary, or with nothing in it")
    for leaf in leaves:
        data = leaf.get_payload(decode=True)
        if not isinstance(data, bytes):
            raise ValueError("the user data is a MIME message that cannot be read")
        kind = leaf.get_content_type()
        found = {**headers, **{name: header(leaf[name]) for name in _KEPT if leaf[name] is not None}}
        # Of a script too, cloud-init believes the content more than the type.
        said = "" if kind in _UNTYPED or kind.startswith("application/") else kind
        if kind == "text/x-shellscript":
            said = _form(data) or kind
        yield from _parts(data, {**found, **_named(leaf.get_filename())}, depth + 1, said)


def _of_archive(entries: Any, depth: int) -> Iterator[Part]:
    if not isinstance(entries, list):
        raise ValueError("the user data is a #cloud-config-archive, and no list in YAML")
    for number, entry in enumerate(entries, 1):
        entry = {"content": entry} if isinstance(entry, str) else entry
        content = entry.get("content") if isinstance(entry, dict) else None
        if not isinstance(content, (str, bytes)):
            raise ValueError(
                f"the user data's archive has, as its entry {number}, neither text nor a mapping with content"
            )
        data = content.encode() if isinstance(content, str) else content
        names = {name.lower(): name for name in _KEPT}
        headers = {names[str(key).lower()]: header(entry[key]) for key in entry if str(key).lower() in names}
        kind = header(entry.get("type") or "") or _form(data) or "text/cloud-config"
        yield from _parts(data, {**headers, **_named(entry.get("filename"))}, depth + 1, kind)


def _named(filename: Any) -> dict[str, str]:
    name = header(filename or "").replace('"', "").replace("\\", "")
    return {"Content-Disposition": f'attachment; filename="{name}"'} if name else {}


def _unpacked(data: bytes) -> bytes:
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
            unpacked = file.read(_LARGEST + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise ValueError(f"the user data is a damaged gzip: {error}") from None
    if len(unpacked) > _LARGEST:
        raise ValueError(f"the user data is more than {_LARGEST} bytes when unpacked")
    return unpacked


def _yaml(data: bytes) -> Any:
    yaml = YAML(typ="safe", pure=True)
    yaml.allow_duplicate_keys = True  # cloud-init does
    yaml.version = (1, 1)  # as PyYAML, which is what cloud-init reads it with
    try:
        return yaml.load(data.decode())
    except UnicodeDecodeError:
        raise ValueError("the user data's YAML is not UTF-8") from None
    except MarkedYAMLError as error:
        where = f" in line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise ValueError(f"the user data's YAML cannot be read: {header(error.problem)}{where}") from None
    except (YAMLError, ValueError, RecursionError) as error:
        raise ValueError(f"the user data's YAML cannot be read: {header(error)[:200]}") from None


def _checked(config: Any) -> Mapping[str, Any]:
    """A cloud-config that leaves us our way in."""
    if not isinstance(config, dict):
        raise ValueError("the user data is a #cloud-config, and no mapping in YAML")
    for name in ("users", "ssh_authorized_keys"):
        if not isinstance(config.get(name, []), list):
            raise ValueError(f"the user data's {name} is no list, so that nothing can be added to it")
    keys = config.get("ssh_keys", {})
    if not isinstance(keys, dict) or any(str(name).startswith("ed25519_") for name in keys):
        raise ValueError("the user data brings an Ed25519 host key (ssh_keys): pymachine pins one of its own making")
    return config
