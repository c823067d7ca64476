"""What a host is told: nothing is lost, changed or smuggled in, and the same is always said in the same bytes."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reading import HOST_KEY, KEY, body, built, config, own_parts, parts, types

from machine.model import EngineSpec
from machine.trust.sshkeys import public_line
from machine.userdata import LIMIT, wants_default_engine
from machine.userdata.part import MERGE_TYPE

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=60)
KEYS = {"hostname", "manage_etc_hosts", "locale", "ssh_authorized_keys", "ssh_deletekeys", "ssh_keys"}


@given(hostname=texts, comment=texts)
def test_any_text_survives_yaml_and_mime_and_nothing_else_comes_of_it(hostname: str, comment: str) -> None:
    said = config(built(hostname=hostname, authorized_key=f"{KEY} {comment}"))
    assert said["hostname"] == hostname
    assert said["ssh_authorized_keys"] == [f"{KEY} {comment}"]
    assert set(said) == KEYS


@given(text=texts)
def test_the_operators_own_text_survives_to_the_last_byte(text: str) -> None:
    for own in (
        f"#!/bin/sh\n{text}".encode(),
        f"#include\n{text}\r\n\r".encode(),
        b"#!/bin/sh\n\xff\x00" + text.encode(),
    ):
        (part,) = own_parts(built(own=own))
        assert body(part) == own


def test_the_host_key_comes_out_as_it_went_in() -> None:
    keys = config(built())["ssh_keys"]
    assert keys == {"ed25519_private": HOST_KEY.decode(), "ed25519_public": public_line(HOST_KEY)}


def test_the_same_is_said_in_the_same_bytes_by_every_process() -> None:
    script = (
        "import sys; from machine.userdata import UserData, build;"
        "sys.stdout.buffer.write(build(UserData(hostname='web', authorized_key=sys.argv[1], own=b'#!/bin/sh\\n',"
        " host_key=sys.stdin.buffer.read())))"
    )
    for seed in ("1", "2"):
        command = [sys.executable, "-c", script, KEY]
        ran = subprocess.run(command, input=HOST_KEY, env={"PYTHONHASHSEED": seed}, capture_output=True, check=True)
        assert ran.stdout == built(own=b"#!/bin/sh\n")


def test_other_data_has_other_boundaries_and_none_is_in_a_part() -> None:
    boundary = built().partition(b'boundary="')[2].partition(b'"')[0]
    (part,) = own_parts(built(own=b"#!/bin/sh\n--" + boundary + b"--\n"))
    assert body(part) == b"#!/bin/sh\n--" + boundary + b"--\n"


def test_every_part_says_how_it_is_merged() -> None:
    own = b"#cloud-config\nruncmd: [ls]\n"
    assert {part["Merge-Type"] for part in parts(built(own=own))} == {MERGE_TYPE}
    message = b"MIME-Version: 1.0\nContent-Type: text/cloud-config\nMerge-Type: dict(replace)\n\n#cloud-config\na: 1\n"
    (part,) = own_parts(built(own=message))
    assert part["Merge-Type"] == "dict(replace)"


def test_ours_comes_after_theirs_so_that_what_theirs_says_holds_and_lists_keep_both() -> None:
    data = built(own=b"#cloud-config\nhostname: mine\nssh_authorized_keys: [a]\n", engine_early=False)
    assert [part.get_filename() for part in parts(data)] == [None, "pymachine.yaml"]


def test_where_users_are_listed_the_one_that_we_log_in_as_is_listed_too() -> None:
    assert "users" not in config(built())
    assert "users" not in config(built(own=b"#cloud-config\nruncmd: [ls]\n"))
    assert config(built(own=b"#cloud-config\nusers: [{name: me}]\n"))["users"] == ["default"]
    assert config(built(own=b"#include\nhttp://192.0.2.1/x\n"))["users"] == ["default"]


def test_the_engine_script_is_one_for_every_posix_shell() -> None:
    (script,) = [body(part) for part in parts(built()) if part.get_content_type() == "text/cloud-boothook"]
    assert script.startswith(b"#cloud-boothook\n#!/bin/sh\n")
    subprocess.run(["sh", "-n"], input=script, check=True)


def test_the_engine_script_takes_only_the_pinned_key(tmp_path: Path) -> None:
    script = next(body(part) for part in parts(built()) if part.get_content_type() == "text/cloud-boothook")
    functions = script.partition(b"\ncase ${1-begin}")[0] + b'\nkey "$1" "$2"\n'
    key = tmp_path / "key"
    packet = b"\x04" + b"body" * 8
    key.write_bytes(b"\x98" + bytes([len(packet)]) + packet)
    pinned = hashlib.sha1(b"\x99" + len(packet).to_bytes(2, "big") + packet).hexdigest().upper()
    for fingerprint, code in ((pinned, 0), ("A" * 40, 1)):
        ran = subprocess.run(["sh", "-s", key, fingerprint], input=functions, capture_output=True, check=False)
        assert (ran.returncode, ran.stdout) == (code, key.read_bytes() if code == 0 else b"")


@pytest.mark.parametrize(
    "own",
    [b"#!/bin/sh\nls\n", b"#include\nhttp://x\n", b"#cloud-config\npackages: [a]\n", b"#cloud-config\nruncmd: [a]\n"],
)
def test_no_engine_is_begun_where_the_operators_own_data_may_want_the_package_manager(own: bytes) -> None:
    assert "text/cloud-boothook" not in types(built(own=own))


def test_the_engine_is_begun_beside_a_quiet_cloud_config_and_only_when_asked_for() -> None:
    assert "text/cloud-boothook" in types(built(own=b"#cloud-config\ntimezone: Etc/UTC\n"))
    assert types(built(engine_early=False)) == ["text/cloud-config"]


def test_the_engines_early_start_gives_way_to_the_operators_own_data() -> None:
    own = b"#cloud-config\nwrite_files: [{path: /a, content: " + b"a" * 11000 + b"}]\n"
    data = built(own=own)
    assert len(data) < LIMIT
    assert types(data) == ["text/cloud-config", "text/cloud-config"]


def test_only_the_default_engine_is_begun_early() -> None:
    assert wants_default_engine(EngineSpec())
    others = ({"source": "docker"}, {"source": "distribution"}, {"version": "24"}, {"repository": "http://x"})
    assert not any(wants_default_engine(EngineSpec(**other)) for other in others)
