"""``pymachine drivers``: who there is, and whether it would work, said without making anything."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

from machine import driver as drivers
from machine.cli import command_line as run
from machine.driver import Capabilities, Missing, option
from machine.drivers.none import NoneDriver
from machine.errors import PreCheckFailed
from machine.store.store import Store
from machine.testing.memory import MemoryDriver

LACKS = Missing(permission="cloud:Start", needed_for="start")
DOUBT = Missing(permission="cloud:Stop", needed_for="stop", doubt="nobody answered")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    region: str = option(help="Where.", default="north", env=("CLOUD_REGION",))
    key: str | None = option(help="The key.", env=("CLOUD_KEY",), secret=True)


class Explaining(NoneDriver):
    """A driver that can say what it would do; what it finds, a test decides."""

    name: ClassVar[str] = "cloud"
    summary: ClassVar[str] = "an instance in a cloud"
    capabilities: ClassVar[Capabilities] = Capabilities(stop=True)
    Options: ClassVar[type] = Options
    refuses: ClassVar[bool] = False
    silent: ClassVar[bool] = False
    missing: ClassVar[list[Missing]] = []
    stores: ClassVar[list[str]] = []

    def check(self, spec: Any, options: Any, identity: Any) -> dict[str, Any]:
        self.stores.append(identity.store)
        if self.refuses:
            raise PreCheckFailed("there is no subnet", hint="make one")
        return {"region": options.region}

    def explain(self, request: Mapping[str, Any], sources: Mapping[str, str]) -> list[tuple[str, str]]:
        if self.silent:
            raise PreCheckFailed("there are no credentials")
        return [("account", "4711"), *([("region", f"{request['region']} ({sources['region']})")] if request else [])]

    def missing_permissions(self, request: Mapping[str, Any]) -> list[Missing]:
        return self.missing


class Local(NoneDriver):
    """A driver for this computer."""

    name: ClassVar[str] = "here"
    summary: ClassVar[str] = "a machine in the cellar"
    capabilities: ClassVar[Capabilities] = Capabilities(local_rank=1)
    Options: ClassVar[type] = Options
    reason: ClassVar[str | None] = None

    def usable_here(self) -> str | None:
        return self.reason

    def host_changes(self) -> list[str]:
        return ["a bridge", "a rule"]

    def check(self, spec: Any, options: Any, identity: Any) -> dict[str, Any]:
        return {"machine": spec.name, "size": 2, "memory": None, "base": {"suite": "sid", "tools": ["a", "b"]}}


Say = Callable[..., tuple[int, str, str]]


@pytest.fixture
def say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Run a command line with these drivers installed, in a store that is not there."""
    points = [
        SimpleNamespace(name=name, value="a plugin", load=load)
        for name, load in {
            "cloud": lambda: Explaining, "here": lambda: Local, "memory": lambda: MemoryDriver, "broken": lambda: 1 / 0,
            "none": lambda: NoneDriver,
        }.items()
    ]  # fmt: skip
    monkeypatch.setattr(drivers, "_entry_points", lambda: points)
    monkeypatch.setenv("MEMORY_CLOUD", str(tmp_path / "cloud"))
    monkeypatch.setattr(Explaining, "stores", [])

    def say(*words: str) -> tuple[int, str, str]:
        code = run(["-s", str(tmp_path / "store"), *words])
        said = capsys.readouterr()
        return code, said.out, said.err

    return say


@pytest.mark.parametrize("words", [["drivers"], ["drivers", "ls"]], ids=" ".join)
def test_the_list_has_every_driver_and_names_one_that_cannot_be_loaded(say: Say, words: list[str]) -> None:
    code, out, err = say(*words)
    lines = {line.split()[0]: " ".join(line.split()[1:]) for line in out.splitlines()[1:]}
    assert lines == {
        "cloud": "- create, start, stop, ssh an instance in a cloud",
        "here": "yes create, ssh a machine in the cellar",
        "memory": "- create, start, stop, restart, ssh records at a cloud in a file, for tests",
        "none": "- an endpoint by its URL, and no host",
    }
    assert "the driver broken cannot be loaded" in err
    assert code == 3


def test_the_list_as_json_has_what_each_promises(say: Say) -> None:
    _, out, _ = say("drivers", "ls", "-o", "json")
    found = {each["name"]: each for each in json.loads(out)}
    assert (found["here"]["local"], found["cloud"]["local"]) == (True, False)
    assert found["memory"]["can"] == ["create", "start", "stop", "restart", "ssh"]
    assert found["memory"]["capabilities"]["inject_host_key"] is True


def test_a_check_says_who_would_make_what_and_where_that_was_said(say: Say, tmp_path: Path) -> None:
    code, out, err = say("drivers", "check", "cloud", "--cloud-region", "south")
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "cloud: an instance in a cloud", "  account  4711", "  region   south (--cloud-region)",
    ]  # fmt: skip
    assert not (tmp_path / "store").exists()


def test_what_is_missing_is_exit_3_and_what_is_doubtful_is_not(say: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Explaining, "missing", [DOUBT])
    code, out, err = say("drivers", "check", "cloud", "--cloud-region", "south")
    assert (code, err) == (0, "")
    assert "cloud:Stop (for stop): nobody answered" in out
    monkeypatch.setattr(Explaining, "missing", [DOUBT, LACKS])
    code, out, err = say("drivers", "check", "cloud", "--cloud-region", "south")
    assert code == 3
    assert err.splitlines() == ["Missing permissions:", "  cloud:Start (for start)"]


def test_a_refused_check_still_says_who_asks_and_what_is_missing(say: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Explaining, "refuses", True)
    monkeypatch.setattr(Explaining, "missing", [LACKS])
    code, out, err = say("drivers", "check", "cloud")
    assert code == 3
    assert "4711" in out
    assert "cloud:Start" in err
    assert "Error: there is no subnet\n  next:  make one" in err


def test_of_two_errors_the_one_of_the_pre_check_is_said(say: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Explaining, "refuses", True)
    monkeypatch.setattr(Explaining, "silent", True)
    code, _, err = say("drivers", "check", "cloud")
    assert code == 3
    assert "there is no subnet" in err
    assert "credentials" not in err


def test_a_local_driver_says_whether_it_works_here_and_what_it_changes(
    say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out, err = say("drivers", "check", "here")
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "here: a machine in the cellar",
        "  works here    yes",
        "  changes here  a bridge",
        "                a rule",
        "  size          2",
        "  base          suite sid, tools a, b",
    ]
    monkeypatch.setattr(Local, "reason", "there is no cellar")
    code, out, err = say("drivers", "check", "here")
    assert code == 3
    assert "works here  no" in out
    assert "there is no cellar" in err


def test_the_default_driver_is_checked_where_none_is_named(say: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    assert say("drivers", "check")[1].startswith("here: ")
    monkeypatch.setenv("MACHINE_DRIVER", "cloud")
    monkeypatch.setenv("CLOUD_REGION", "west")
    assert "west (CLOUD_REGION)" in say("drivers", "check")[1]


def test_what_a_driver_must_be_told_is_named_and_is_no_error(say: Say) -> None:
    code, out, err = say("drivers", "check", "none")
    assert (code, err) == (0, "")
    assert "needs  --none-url" in out
    code, out, _ = say("drivers", "check", "none", "--url", "tcp://203.0.113.7:2376")
    assert code == 0
    assert "203.0.113.7" in out


def test_the_store_s_own_id_is_asked_with_where_there_is_a_store(say: Say, tmp_path: Path) -> None:
    """A policy may be for one store alone."""
    say("drivers", "check", "cloud", "--cloud-region", "south")
    store = Store(str(tmp_path / "store"))
    say("drivers", "check", "cloud", "--cloud-region", "south")
    assert Explaining.stores == ["none-yet", store.id]
    assert store.machines.all() == []
    store.close()


def test_no_secret_is_shown(say: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLOUD_KEY", "canary-4711")
    monkeypatch.setattr(Explaining, "refuses", True)
    monkeypatch.setattr(Explaining, "missing", [LACKS])
    said = say("drivers", "check", "cloud")
    assert "canary" not in said[1] + said[2]


def test_an_unknown_driver_gets_the_nearest(say: Say) -> None:
    code, _, err = say("drivers", "check", "cluod")
    assert code == 1
    assert 'no driver "cluod"' in err
