"""``mount``: sshfs with the machine's key and its pinned host key; ``-u``: fusermount."""

from __future__ import annotations

from pathlib import Path

import pytest

from machine.model import Machine
from machine.store.store import Store
from tests.conformance.conftest import Fleet, Program
from tests.conformance.fake_programs import Programs, options


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Programs:
    made = Programs(tmp_path / "programs", monkeypatch)
    for name in ("sshfs", "fusermount3"):
        made.make(name)
    return made


@pytest.fixture
def default(fleet: Fleet, store: Store) -> Machine:
    made = fleet.add("default", driver="generic", address="192.0.2.7")
    store.files("default").write("known_hosts", b"default ssh-ed25519 AAAA\n")
    return made


@pytest.mark.parametrize(
    ("words", "ends"),
    [
        (["default:/srv/data", "data"], ["root@192.0.2.7:/srv/data", "data"]),
        (["/srv/data", "data"], ["root@192.0.2.7:/srv/data", "data"]),
        (["default:/srv/data"], ["root@192.0.2.7:/srv/data", "/srv/data"]),
        (["ada@default:data", "data"], ["ada@192.0.2.7:data", "data"]),
    ],
    ids=lambda words: " ".join(words),
)
def test_sshfs_is_called(
    program: Program, programs: Programs, default: Machine, store: Store, words: list[str], ends: list[str]
) -> None:
    assert program("mount", *words).code == 0
    said = programs.called("sshfs")
    assert said[-2:] == ends
    told = options(said)
    files = store.files("default")
    assert told["StrictHostKeyChecking"] == "yes"
    assert told["UserKnownHostsFile"] == files.path("known_hosts")
    assert told["IdentityFile"] == files.path("id_ed25519")
    assert told["port"] == "22"


@pytest.mark.parametrize("words", [["-u", "default:/srv/data", "data"], ["/srv/data", "data", "--unmount"]])
def test_unmount_is_fusermount_s(program: Program, programs: Programs, words: list[str]) -> None:
    assert program("mount", *words).code == 0
    assert programs.called("fusermount3") == ["-u", "data"]


def test_the_exit_code_is_passed_on(program: Program, programs: Programs, default: Machine) -> None:
    programs.make("sshfs", 3)
    assert program("mount", "default:/srv", "srv").code == 3


def test_without_sshfs_it_says_what_is_missing(
    program: Program, default: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    said = program("mount", "default:/srv", "srv")
    assert said.code == 1
    assert "You must have a copy of the sshfs binary locally to use the mount feature" in said.err
    assert program("mount", "-u", "default:/srv", "srv").code == 1


@pytest.mark.parametrize("words", [[], ["a", "b", "c"]])
def test_it_takes_one_or_two_places(program: Program, words: list[str]) -> None:
    said = program("mount", *words)
    assert (said.code, "Improper number of arguments" in said.err) == (1, True)
