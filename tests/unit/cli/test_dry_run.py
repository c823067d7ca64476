"""``create --dry-run``: what would be made, and that nothing is: not a row, not a file, nothing at the provider."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from machine import driver as drivers
from machine.cli import command_line as run
from machine.drivers.generic import GenericDriver
from machine.drivers.none import NoneDriver
from machine.store.store import Store
from machine.testing.cloud import MemoryCloud
from machine.testing.memory import MemoryDriver

Say = Callable[..., tuple[int, str, str]]


@pytest.fixture
def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MemoryCloud:
    monkeypatch.setenv("MEMORY_CLOUD", str(tmp_path / "cloud"))
    return MemoryCloud(tmp_path / "cloud")


@pytest.fixture
def say(store: Store, cloud: MemoryCloud, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Say:
    """Run a create that is not to be; the store must be afterwards as it was."""
    points = [
        SimpleNamespace(name=each.name, value="a plugin", load=lambda each=each: each)
        for each in (MemoryDriver, GenericDriver, NoneDriver)
    ]
    monkeypatch.setattr(drivers, "_entry_points", lambda: points)

    def say(*words: str) -> tuple[int, str, str]:
        before = _content(store)
        code = run(["-s", store.directory, "create", "--dry-run", *words])
        assert _content(store) == before
        said = capsys.readouterr()
        return code, said.out, said.err

    return say


def _content(store: Store) -> list[Any]:
    """Everything that is remembered, but for notes."""
    files = sorted(str(path) for path in Path(store.directory).rglob("*") if "pymachine.db" not in path.name)
    rows = [
        tuple(row)
        for table in ("machines", "instances", "operations", "steps", "events", "orphans")
        for row in store.database.read(f"SELECT * FROM {table}")
    ]
    return [files, rows]


def test_of_a_driver_that_makes_something_nothing_is_made(say: Say, cloud: MemoryCloud) -> None:
    code, out, err = say("-d", "memory", "--memory-region", "south", "--memory-size", "4", "web")
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "web: records at a cloud in a file, for tests (memory)",
        "  region   south",
        "  size     4",
        "  account  project main",
        "Nothing was made.",
    ]
    assert cloud.instances() == []


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["-d", "generic", "--generic-ip-address", "203.0.113.7"], ["host         203.0.113.7", "engine port  2376"]),
        (["-d", "none", "--url", "tcp://203.0.113.7:2375"], ["host  203.0.113.7", "port  2375"]),
    ],
    ids=["generic", "none"],
)
def test_what_was_given_is_said_in_words(say: Say, words: list[str], expected: list[str]) -> None:
    code, out, err = say(*words, "web")
    assert (code, err) == (0, "")
    assert [line.strip() for line in out.splitlines()[1:-1]] == expected
    assert "None" not in out


def test_what_the_pre_check_refuses_is_exit_3(say: Say, cloud: MemoryCloud) -> None:
    cloud.demand_key("right")
    code, out, err = say("-d", "memory", "web")
    assert code == 3
    assert "the memory cloud refuses" in err
    assert "Nothing was made." in out


def test_of_several_the_first_is_explained_and_the_others_are_named(say: Say) -> None:
    code, out, _ = say("-d", "memory", "-n", "3", "web")
    assert code == 0
    assert out.startswith("web-1: ")
    assert "The same for web-2, web-3." in out
    assert out.count("region") == 1


def test_a_name_that_is_taken_is_refused_as_by_create(say: Say, store: Store) -> None:
    assert run(["-s", store.directory, "create", "-d", "none", "--url", "tcp://203.0.113.7:2375", "web"]) == 0
    code, _, err = say("-d", "memory", "WEB")
    assert code == 1
    assert 'a machine "web" exists' in err


def test_an_authority_that_is_named_is_not_made_the_store_s(say: Say, store: Store, tmp_path: Path) -> None:
    code = run(["--tls-ca-cert", str(tmp_path / "no"), "--tls-ca-key", str(tmp_path / "no"), "-s", store.directory,
                "create", "--dry-run", "-d", "memory", "web"])  # fmt: skip
    assert code == 0
    assert not Path(store.directory, "certs").exists()


def test_a_secret_is_neither_kept_nor_said_to_be(say: Say) -> None:
    code, out, err = say("-d", "memory", "--memory-api-key", "canary-4711", "--save-credentials", "web")
    assert code == 0
    assert "canary" not in out + err
    assert "are kept" not in out + err
