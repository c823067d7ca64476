from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from types import SimpleNamespace

import pytest

from machine import driver as drivers
from machine.cli import command_line as run
from machine.cli.cache import size
from machine.driver import CacheEntry
from machine.errors import DriverError

UNUSED = CacheEntry(driver="caching", id="a1", what="a system", path="/c/a1", size=482_100_000, made_at=0.0)
USED = CacheEntry(driver="caching", id="b2", what="x" * 100, path="/c/b2", size=5, made_at=None, machines=("db", "web"))
BUSY = CacheEntry(driver="caching", id="c3", what="being made", path="/c/c3", size=0, made_at=0.0, busy=True)


class Caching:
    """A driver as far as a cache goes."""

    def __init__(self, entries: Sequence[CacheEntry], taken: Sequence[str] = ()) -> None:
        self.entries = list(entries)
        self.taken = taken

    def cached(self) -> list[CacheEntry]:
        return list(self.entries)

    def drop(self, id: str) -> bool:
        if id in self.taken:
            return False
        self.entries = [entry for entry in self.entries if entry.id != id]
        return True


Install = Callable[..., Caching]


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch) -> Install:
    """Put one driver with a cache beside one without and one that cannot be loaded."""

    def make(*entries: CacheEntry, broken: bool = False, **more: object) -> Caching:
        made = Caching(entries, **more)  # type: ignore[arg-type]

        def load_broken() -> object:
            raise ImportError("no module of that name")

        loads: dict[str, Callable[[], object]] = {"caching": lambda: lambda: made, "plain": lambda: object}
        if broken:
            loads["broken"] = load_broken
        points = [SimpleNamespace(name=name, value=f"{name}:Driver", load=load) for name, load in loads.items()]
        monkeypatch.setattr(drivers, "_entry_points", lambda: points)
        return made

    return make


def test_the_list_says_who_needs_what(install: Install, capsys: pytest.CaptureFixture[str]) -> None:
    install(UNUSED, USED)
    assert run(["cache", "ls"]) == 0
    first, second = (line.split() for line in capsys.readouterr().out.splitlines()[1:])
    assert (first[:4], first[5:]) == (["caching", "a1", "482.1", "MB"], ["-", "a", "system"])
    assert second == ["caching", "b2", "5", "B", "db,", "web", "x" * 59 + "…"]


def test_as_json_nothing_is_shortened(install: Install, capsys: pytest.CaptureFixture[str]) -> None:
    install(USED)
    assert run(["cache", "ls", "-o", "json"]) == 0
    (entry,) = json.loads(capsys.readouterr().out)
    assert (entry["what"], entry["size"], entry["machines"]) == ("x" * 100, 5, ["db", "web"])


def test_a_driver_that_cannot_be_asked_is_named_and_takes_nothing_else_down(
    install: Install, capsys: pytest.CaptureFixture[str]
) -> None:
    install(UNUSED, broken=True)
    assert run(["cache", "ls"]) == 3
    said = capsys.readouterr()
    assert "a1" in said.out
    assert "the driver broken cannot be loaded" in said.err


def test_pruning_removes_what_no_machine_needs_and_nothing_else(
    install: Install, capsys: pytest.CaptureFixture[str]
) -> None:
    driver = install(UNUSED, USED, BUSY)
    assert run(["cache", "prune", "-y"]) == 0
    assert driver.entries == [USED, BUSY]
    assert capsys.readouterr().out == "Removed a1 (482.1 MB): a system\nFreed 482.1 MB.\n"
    assert run(["cache", "prune", "-y"]) == 0
    assert capsys.readouterr().out == "Nothing to remove.\n"


def test_a_dry_run_says_what_would_go_asks_nobody_and_removes_nothing(
    install: Install, capsys: pytest.CaptureFixture[str]
) -> None:
    driver = install(UNUSED, USED)
    assert run(["cache", "prune", "--dry-run"]) == 0
    assert driver.entries == [UNUSED, USED]
    assert capsys.readouterr().out == "Would remove a1 (482.1 MB): a system\nWould free 482.1 MB.\n"
    assert run(["cache", "prune", "--dry-run", "-o", "json"]) == 0
    assert [each["id"] for each in json.loads(capsys.readouterr().out)] == ["a1"]


def test_all_names_what_is_in_use_and_refuses_it(install: Install, capsys: pytest.CaptureFixture[str]) -> None:
    driver = install(UNUSED, USED, BUSY)
    assert run(["cache", "prune", "--all", "-y"]) == 1
    assert driver.entries == [USED, BUSY]
    said = capsys.readouterr().err
    assert "b2 stays: needed by db, web" in said
    assert "c3 stays: it is being made" in said


def test_what_was_taken_into_use_meanwhile_stays_and_is_said(
    install: Install, capsys: pytest.CaptureFixture[str]
) -> None:
    driver = install(UNUSED, taken=["a1"])
    assert run(["cache", "prune", "-y"]) == 0
    assert driver.entries == [UNUSED]
    said = capsys.readouterr()
    assert "a1 stays" in said.err
    assert said.out == "Nothing to remove.\n"


def test_without_a_terminal_and_without_yes_nothing_is_removed(
    install: Install, capsys: pytest.CaptureFixture[str]
) -> None:
    driver = install(UNUSED)
    assert run(["cache", "prune"]) == 1
    assert driver.entries == [UNUSED]
    assert "add -y" in capsys.readouterr().err


def test_on_a_terminal_it_asks_and_no_is_no(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    driver = install(UNUSED)
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("click.termui.visible_prompt_func", lambda _: "n")
    assert run(["cache", "prune"]) == 130
    assert driver.entries == [UNUSED]
    monkeypatch.setattr("click.termui.visible_prompt_func", lambda _: "y")
    assert run(["cache", "prune"]) == 0
    assert driver.entries == []


def test_one_that_cannot_be_removed_does_not_keep_the_others(
    install: Install, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    driver = install(UNUSED, CacheEntry(driver="caching", id="d4", what="y", path="/c/d4", size=1, made_at=0.0))
    drop = driver.drop

    def failing(id: str) -> bool:
        if id == "a1":
            raise DriverError("cannot remove /c/a1")
        return drop(id)

    monkeypatch.setattr(driver, "drop", failing)
    assert run(["cache", "prune", "-y"]) == 1
    assert driver.entries == [UNUSED]
    assert "cannot remove /c/a1" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (999_949, "999.9 kB"),
        (999_950, "1.0 MB"),
        (5 * 10**15, "5000.0 TB"),
    ],
)
def test_sizes_are_read_by_people(count: int, text: str) -> None:
    assert size(count) == text
