"""The operator's own user data: every form that cloud-init takes, and a reason for every one that it does not."""

from __future__ import annotations

import contextlib
import gzip
from email.mime.application import MIMEApplication
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from reading import body, built, own_parts

from machine.userdata import check_own

CONFIG = b"#cloud-config\nruncmd:\n- [ls, -l]\n"
SCRIPT = b"#!/bin/sh\necho hello\n"


def of(own: bytes) -> list[tuple[str, bytes]]:
    return [(part.get_content_type(), body(part)) for part in own_parts(built(own=own))]


@pytest.mark.parametrize(
    ("own", "content_type"),
    [
        (CONFIG, "text/cloud-config"),
        (SCRIPT, "text/x-shellscript"),
        (b"#include\nhttp://192.0.2.1/a\n", "text/x-include-url"),
        (b"#include-once\nhttp://192.0.2.1/a\n", "text/x-include-once-url"),
        (b"#cloud-boothook\n#!/bin/sh\nls\n", "text/cloud-boothook"),
        (b"#part-handler\ndef list_types(): ...\n", "text/part-handler"),
        (b"## template: jinja\n#cloud-config\nruncmd: [{{ v1.region }}]\n", "text/jinja2"),
        (b'#cloud-config-jsonp\n[{"op": "add", "path": "/a", "value": 1}]\n', "text/cloud-config-jsonp"),
    ],
)
def test_each_form_is_a_part_of_its_type(own: bytes, content_type: str) -> None:
    assert of(own) == [(content_type, own)]


def test_a_message_is_taken_apart_and_keeps_names_and_order() -> None:
    message = MIMEMultipart()
    for text, subtype, name in (
        (CONFIG, "cloud-config", "a.cfg"),
        (SCRIPT, "x-shellscript", "b.sh"),
        (CONFIG, "plain", ""),
    ):
        part = MIMEText(text.decode(), subtype)
        if name:
            part.add_header("Content-Disposition", "attachment", filename=name)
        part.add_header("Launch-Index", "0")
        message.attach(part)
    found = own_parts(built(own=message.as_bytes()))
    assert [part.get_filename() for part in found] == ["a.cfg", "b.sh", None]
    assert [(part.get_content_type(), body(part)) for part in found] == [
        ("text/cloud-config", CONFIG),
        ("text/x-shellscript", SCRIPT),
        ("text/cloud-config", CONFIG),
    ]
    assert {part["Launch-Index"] for part in found} == {"0"}


def test_an_archive_is_taken_apart() -> None:
    entries = [
        SCRIPT.decode(),
        {"content": "runcmd: [ls]\n", "filename": "x.cfg", "merge-type": "list()"},
        {"type": "text/cloud-boothook", "content": "#!/bin/sh\n"},
    ]
    found = own_parts(built(own=b"#cloud-config-archive\n" + yaml.safe_dump(entries).encode()))
    assert [(part.get_content_type(), body(part)) for part in found] == [
        ("text/x-shellscript", SCRIPT),
        ("text/cloud-config", b"runcmd: [ls]\n"),
        ("text/cloud-boothook", b"#!/bin/sh\n"),
    ]
    assert (found[1].get_filename(), found[1]["Merge-Type"]) == ("x.cfg", "list()")


def test_what_is_compressed_is_unpacked_also_inside_a_message() -> None:
    assert of(gzip.compress(SCRIPT)) == [("text/x-shellscript", SCRIPT)]
    message = MIMEMultipart()
    message.attach(MIMEApplication(gzip.compress(CONFIG), "gzip"))
    assert of(message.as_bytes()) == [("text/cloud-config", CONFIG)]


@pytest.mark.parametrize(
    ("own", "reason"),
    [
        (b"hello\n", "no form that cloud-init knows"),
        (b"", "no form that cloud-init knows"),
        (b"runcmd: [ls]\n", "no form that cloud-init knows"),
        (b"#cloud-config\n- a\n", "no mapping"),
        (b"#cloud-config\n", "no mapping"),
        (b"#cloud-config\na: [\n", "cannot be read: .* in line"),
        (b"#cloud-config\na: \xff\n", "not UTF-8"),
        (b"#cloud-config\na: !!python/object/apply:os.system [ls]\n", "cannot be read"),
        (b"#cloud-config\nusers: me\n", "users is no list"),
        (b"#cloud-config\nssh_authorized_keys: ssh-rsa AAAA\n", "ssh_authorized_keys is no list"),
        (b"#cloud-config\nssh_keys: {ed25519_private: x}\n", "Ed25519 host key"),
        (b"#cloud-config-archive\na: 1\n", "no list"),
        (b"#cloud-config-archive\n- 5\n", "entry 1"),
        (b"#cloud-config-archive\n- hello: 1\n", "entry 1"),
        (b"## template: jinja\nhello\n", "below its first line"),
        (b"\x1f\x8bnonsense", "damaged gzip"),
        (gzip.compress(SCRIPT, mtime=0)[:-9], "damaged gzip"),
        (gzip.compress(b"#!" + bytes(2 << 20), mtime=0), "more than"),
        (b"MIME-Version: 1.0\nContent-Type: multipart/mixed\n\n", "without its boundary"),
        (b"MIME-Version: 1.0\nContent-Type: text/plain\n\nhello\n", "no form that cloud-init knows"),
    ],
)
def test_what_cannot_work_is_refused_with_the_reason(own: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        check_own(own)


def test_messages_in_messages_have_an_end() -> None:
    own = SCRIPT
    for _ in range(9):
        own = gzip.compress(own)
    with pytest.raises(ValueError, match="without end"):
        check_own(own)


@given(
    st.binary(max_size=200),
    st.sampled_from(
        [
            b"",
            b"#cloud-config\n",
            b"#cloud-config-archive\n",
            b"\x1f\x8b",
            b"MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=a\n\n--a\n",
        ]
    ),
)
def test_nothing_breaks_it(data: bytes, begin: bytes) -> None:
    with contextlib.suppress(ValueError):  # and nothing else
        check_own(begin + data)


def test_headers_of_a_message_smuggle_nothing_in() -> None:
    own = (
        b"MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: text/x-shellscript\n"
        b'Content-Disposition: attachment; filename="x\\"; y"\nMerge-Type: list()\n\tX-Evil: 1\n\n#!/bin/sh\n--a--\n'
    )
    (part,) = own_parts(built(own=own))
    assert part["X-Evil"] is None
    assert part["Merge-Type"] == "list() X-Evil: 1"
