"""Whatever links a machine plants, nothing outside its root is read, written or removed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from machine.drivers.nspawn import rootfs
from machine.drivers.nspawn.inroot import InRoot


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/secret").write_text("secret")
    (tmp_path / "root/etc").mkdir(parents=True)
    return tmp_path / "root"


@pytest.fixture
def root(place: Path) -> Iterator[InRoot]:
    with InRoot(str(place)) as opened:
        yield opened


@pytest.mark.parametrize("target", ["{outside}", "../../outside", "../../../../../../../../{outside}"])
def test_a_directory_link_out_of_the_root_stays_inside(place: Path, root: InRoot, target: str) -> None:
    outside = place.parent / "outside"
    (place / "etc/ssh").symlink_to(target.format(outside=outside))
    assert root.read("/etc/ssh/secret") is None
    root.write("/etc/ssh/secret", "ours")
    root.write("/etc/ssh/new", "ours")
    root.remove("/etc/ssh/secret")
    root.directory("/etc/ssh/deep", 0o700)
    assert {path.name: path.read_text() for path in outside.iterdir()} == {"secret": "secret"}
    assert root.read("/etc/ssh/new") == "ours"


def test_a_file_link_is_replaced_and_not_written_through(place: Path, root: InRoot) -> None:
    secret = place.parent / "outside/secret"
    (place / "etc/resolv.conf").symlink_to(secret)
    assert root.read("/etc/resolv.conf") is None
    root.write("/etc/resolv.conf", "nameserver 10.0.0.1\n")
    assert secret.read_text() == "secret"
    assert not (place / "etc/resolv.conf").is_symlink()


def test_links_inside_work_as_the_machine_sees_them(place: Path, root: InRoot) -> None:
    (place / "usr/lib").mkdir(parents=True)
    (place / "lib").symlink_to("usr/lib")
    (place / "abs").symlink_to("/usr/lib")
    root.write("/lib/a", "1")
    root.write("/abs/b", "2", 0o600)
    assert root.names("/usr/lib") == ["a", "b"]
    assert (place / "usr/lib/b").stat().st_mode & 0o777 == 0o600


def test_links_in_a_circle_end(place: Path, root: InRoot) -> None:
    (place / "a").symlink_to("b")
    (place / "b").symlink_to("a")
    with pytest.raises(OSError, match="symbolic links"):
        root.write("/a/x", "1")


def test_a_pipe_is_not_waited_for(place: Path, root: InRoot) -> None:
    os.mkfifo(place / "etc/hosts")
    assert root.read("/etc/hosts") is None


def test_a_path_that_is_none_is_refused(root: InRoot) -> None:
    for path in ("etc/x", "/", "/etc/../x"):
        with pytest.raises(ValueError, match="not a path"):
            root.write(path, "")


def test_the_same_text_is_not_written_again(place: Path, root: InRoot) -> None:
    root.write("/etc/x", "1")
    before = (place / "etc/x").stat().st_ino
    root.write("/etc/x", "1")
    assert (place / "etc/x").stat().st_ino == before


def _adapt(root: InRoot, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("PRIVATE\n")
    key.with_suffix(".pub").write_text("ssh-ed25519 AAAA root@m\n")
    rootfs.adapt(
        root,
        name="web.example",
        machine_id="0" * 32,
        authorized_key="ssh-ed25519 KEY me",
        host_key=key,
        legacy_cgroups=True,
    )


def test_adapting_twice_is_adapting_once(place: Path, root: InRoot, tmp_path: Path) -> None:
    (place / "etc/ssh").mkdir()
    for name in ("ssh_host_rsa_key", "ssh_host_rsa_key.pub", "sshd_config"):
        (place / "etc/ssh" / name).write_text("theirs")
    _adapt(root, tmp_path)
    once = {str(path): path.lstat().st_ino for path in place.rglob("*")}
    _adapt(root, tmp_path)
    assert {str(path): path.lstat().st_ino for path in place.rglob("*")} == once
    assert sorted(os.listdir(place / "etc/ssh")) == ["ssh_host_ed25519_key", "ssh_host_ed25519_key.pub", "sshd_config"]
    assert (place / "etc/ssh/ssh_host_ed25519_key").stat().st_mode & 0o777 == 0o600
    assert (place / "root/.ssh").stat().st_mode & 0o777 == 0o700
    assert "127.0.1.1\tweb.example web" in (place / "etc/hosts").read_text()


def test_keys_and_sources_that_were_there_stay(place: Path, root: InRoot, tmp_path: Path) -> None:
    (place / "root/.ssh").mkdir(parents=True)
    (place / "root/.ssh/authorized_keys").write_text("ssh-rsa OLD them")
    (place / "etc/apt").mkdir()
    (place / "etc/apt/sources.list").write_text("deb http://theirs.example/debian bookworm main\n")
    (place / "etc/os-release").write_text("ID=debian\nVERSION_CODENAME=bookworm\n")
    _adapt(root, tmp_path)
    assert (place / "root/.ssh/authorized_keys").read_text() == "ssh-rsa OLD them\nssh-ed25519 KEY me\n"
    assert root.names("/etc/apt/sources.list.d") == []


def test_a_resolver_that_the_machine_made_its_own_is_left_alone(place: Path, root: InRoot) -> None:
    root.write("/etc/resolv.conf", "nameserver 10.9.9.9\n")
    rootfs.refresh(root)
    assert root.read("/etc/resolv.conf") == "nameserver 10.9.9.9\n"
