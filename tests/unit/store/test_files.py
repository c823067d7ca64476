"""Files beside the database: whole or not at all."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from machine.errors import StoreError
from machine.store.files import PUBLIC, Files


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(str(tmp_path / "machines" / "web"))


def test_what_was_written_is_read_back_with_its_mode(files: Files) -> None:
    files.write("key.pem", b"secret")
    files.write("cert.pem", b"public", PUBLIC)
    assert files.read("key.pem") == b"secret"
    assert stat.S_IMODE(os.stat(files.path("key.pem")).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(files.path("cert.pem")).st_mode) == 0o644


def test_a_file_that_is_not_there_is_none(files: Files) -> None:
    assert files.read("key.pem") is None
    assert not files.exists("key.pem")


@pytest.mark.parametrize("broken", ["fsync", "replace"])
def test_a_write_that_fails_leaves_the_old_content_and_no_temporary_file(
    files: Files, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    files.write("key.pem", b"old")

    def fail(*_arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, broken, fail)
    with pytest.raises(StoreError, match=r"cannot write .*key\.pem") as raised:
        files.write("key.pem", b"new")
    assert raised.value.cause == "No space left on device"
    assert files.read("key.pem") == b"old"
    assert os.listdir(files.directory) == ["key.pem"]


def test_a_write_that_is_interrupted_leaves_the_old_content(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    files.write("key.pem", b"old")

    def interrupt(*_arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        files.write("key.pem", b"new")
    assert os.listdir(files.directory) == ["key.pem"]


def test_a_reader_never_sees_half_a_file(files: Files) -> None:
    files.write("known_hosts", b"a" * 1_000_000)
    with open(files.path("known_hosts"), "rb") as reader:
        first = reader.read(10)
        files.write("known_hosts", b"b" * 1_000_000)
        assert set(first + reader.read()) == {ord("a")}
    assert files.read("known_hosts") == b"b" * 1_000_000


def test_what_cannot_be_read_is_an_error_of_ours(files: Files) -> None:
    os.makedirs(files.path("key.pem"))
    with pytest.raises(StoreError, match="cannot read"):
        files.read("key.pem")


def test_removing_twice_is_success(files: Files) -> None:
    files.write("key.pem", b"secret")
    files.remove_all()
    files.remove_all()
    assert not os.path.exists(files.directory)


def test_where_nothing_can_be_written_it_is_an_error_of_the_store(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    files.write("key.pem", b"old")

    def refused(*_arguments: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(os, "open", refused)
    monkeypatch.setattr(os, "unlink", refused)
    with pytest.raises(StoreError, match="cannot write") as raised:
        files.write("key.pem", b"new")
    assert raised.value.cause == "Read-only file system"
