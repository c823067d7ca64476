"""What of the cache is shown and dropped; a base is a directory here, whatever is in it."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Any

import pytest

from machine.driver import CacheEntry
from machine.drivers.nspawn import base, cache, directories, layout, records
from machine.drivers.nspawn.layout import Layout
from machine.drivers.nspawn.locking import if_free
from machine.drivers.nspawn.mmdebstrap import Recipe
from machine.errors import DriverError
from machine.testing.recorder import ListRecorder
from tests.unit.processes import python

WANTED = base.of_recipe(Recipe(suite="bookworm", architecture="amd64", include=("dbus", "sudo")))


def places(tmp_path: Path, name: str) -> Layout:
    """One set of machines; all of a test share a cache."""
    return Layout.of({layout.ROOT_VARIABLE: str(tmp_path / name), layout.CACHE_VARIABLE: str(tmp_path / "cache")})


@pytest.fixture
def here(tmp_path: Path) -> Layout:
    return places(tmp_path, "one")


@pytest.fixture
def built(here: Layout, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A base that was made as they all are, except that nothing was built."""

    def build(target: Path, recipe: Recipe, record: object) -> None:
        (target / "etc").mkdir(parents=True)
        (target / "etc/os-release").write_text('PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n')
        (target / "large").write_bytes(b"x" * 100_000)
        os.link(target / "large", target / "the same")

    monkeypatch.setattr(base, "_build", build)
    return base.ensure(here, WANTED, ListRecorder())


def add_machine(here: Layout, name: str, below: Path) -> str:
    with base.kept(here, WANTED, ListRecorder()):
        made = layout.instance_id(name)
        directories.make_private(here.place(made).directory)
        cache.announce(here)
        values: dict[str, Any] = {"token": "t", "store": "s", "authorized_key": "k", "address": "10.0.0.2"}
        records.write_record(here, records.Record(id=made, machine=name, base=str(below), **values))
    return made


def only(here: Layout) -> CacheEntry:
    (entry,) = cache.entries(here)
    return entry


def test_a_base_is_shown_with_its_recipe_its_size_and_the_machines_over_it(here: Layout, built: Path) -> None:
    add_machine(here, "web", built)
    add_machine(here, "db", built)
    entry = only(here)
    assert entry.what == "Debian bookworm amd64: dbus, sudo"
    assert entry.machines == ("db", "web")
    assert (entry.id, entry.path, entry.busy) == (built.name, str(built), False)
    assert entry.made_at == pytest.approx(built.stat().st_ctime)
    assert 100_000 <= entry.size < 150_000  # a file with two names is there once


def test_a_tarball_is_shown_with_its_path(here: Layout, built: Path) -> None:
    records.write_as(
        base.about(built), base.About(base={"kind": "tarball", "path": "/a.tar", "sha256": "0123456789abc"})
    )
    assert only(here).what == "/a.tar (sha256 0123456789ab)"


@pytest.mark.parametrize("damage", [None, "", "{}", '{"base": {}}', '{"base": 1}', '{"base": {"kind": "built"}}'])
def test_a_base_of_an_earlier_version_or_with_a_damaged_note_is_shown_by_its_system(
    here: Layout, built: Path, damage: str | None
) -> None:
    base.about(built).unlink()
    if damage is not None:
        base.about(built).write_text(damage)
    assert only(here).what == "Debian GNU/Linux 12 (bookworm); what it was made from is not recorded"
    assert cache.drop(here, built.name)


def test_the_next_use_of_such_a_base_writes_down_what_it_is(here: Layout, built: Path) -> None:
    base.about(built).unlink()
    base.ensure(here, WANTED, ListRecorder())
    assert only(here).what == "Debian bookworm amd64: dbus, sudo"


def test_dropping_removes_a_base_whole_and_once_more_is_success(here: Layout, built: Path) -> None:
    assert cache.drop(here, built.name)
    assert cache.drop(here, built.name)
    assert cache.entries(here) == []
    assert [path.name for path in here.cache.iterdir()] == ["locks"]


def test_a_base_that_a_machine_uses_stays_until_the_machine_is_gone(here: Layout, built: Path) -> None:
    made = add_machine(here, "web", built)
    assert not cache.drop(here, built.name)
    assert (built / "large").exists()
    directories.remove_tree(here.place(made).directory)
    assert cache.drop(here, built.name)


def test_a_base_that_a_machine_of_another_set_uses_stays(here: Layout, built: Path, tmp_path: Path) -> None:
    other = places(tmp_path, "two")
    add_machine(other, "theirs", built)
    assert only(here).machines == ("theirs",)
    assert not cache.drop(here, built.name)
    directories.remove_tree(other.machines)
    cache.retire(other)
    assert cache.drop(here, built.name)


def test_a_set_that_was_removed_without_a_word_keeps_nothing_in_use(here: Layout, built: Path, tmp_path: Path) -> None:
    other = places(tmp_path, "two")
    add_machine(other, "theirs", built)
    directories.remove_tree(tmp_path / "two")
    assert cache.drop(here, built.name)


def test_a_base_is_not_dropped_between_its_choice_and_the_record_of_its_machine(here: Layout, built: Path) -> None:
    with base.kept(here, WANTED, ListRecorder()) as below:
        assert only(here).busy
        assert not cache.drop(here, built.name)
        assert below.is_dir()
    assert cache.drop(here, built.name)


def test_a_base_dropped_while_somebody_waits_for_it_is_made_again(here: Layout, built: Path) -> None:
    with if_free(here.base_lock(built.name)) as mine:
        assert mine
        waiting = threading.Thread(target=base.ensure, args=(here, WANTED, ListRecorder()))
        waiting.start()
        directories.remove_tree(built)
    waiting.join(10)
    assert (built / "large").exists()


@pytest.mark.parametrize("prefix", ["building-", "dropping-"])
def test_what_a_killed_process_left_is_shown_and_dropped_and_nothing_else(
    here: Layout, built: Path, prefix: str
) -> None:
    left = here.cache / f"{prefix}{built.name}"
    (left / "etc").mkdir(parents=True)
    (here.cache / "somebody's").mkdir()
    names = {entry.id: entry.what for entry in cache.entries(here)}
    assert names == {built.name: "Debian bookworm amd64: dbus, sudo", left.name: "left over"}
    assert cache.drop(here, left.name)
    assert not left.exists()
    assert built.exists()
    assert (here.cache / "somebody's").exists()


def test_a_note_without_its_base_is_left_over(here: Layout, built: Path) -> None:
    directories.remove_tree(built)
    assert (only(here).id, only(here).what) == (f"{built.name}.json", "left over")
    assert cache.drop(here, f"{built.name}.json")
    assert cache.entries(here) == []


def test_what_is_being_made_is_busy_and_stays(here: Layout, built: Path) -> None:
    making = here.cache / f"building-{'0' * 20}"
    making.mkdir()
    with if_free(here.base_lock("0" * 20)):
        shown = {entry.id: (entry.what, entry.busy) for entry in cache.entries(here)}
        assert shown[making.name] == ("being made", True)
        assert not cache.drop(here, making.name)
    assert cache.drop(here, making.name)


@pytest.mark.parametrize("name", ["", "..", "../one", "locks", "users", "/", "0" * 19, f"{'0' * 20}/..", "building-"])
def test_nothing_but_an_entry_is_dropped(here: Layout, built: Path, name: str) -> None:
    with pytest.raises(DriverError):
        cache.drop(here, name)
    assert built.exists()


def test_without_a_cache_there_is_nothing_and_nothing_is_made(here: Layout) -> None:
    assert cache.entries(here) == []
    assert not here.cache.exists()


def test_who_may_not_look_is_told_so_and_nothing_is_taken_for_gone(here: Layout, built: Path) -> None:
    here.cache.chmod(0)
    code = """
        import os, sys
        from machine.drivers.nspawn import cache, layout
        from machine.drivers.nspawn.layout import Layout
        from machine.errors import DriverError
        if os.geteuid() == 0:
            os.seteuid(65534)
        here = Layout.of({layout.CACHE_VARIABLE: sys.argv[1], layout.ROOT_VARIABLE: "/nowhere"})
        for act in (cache.entries, lambda here: cache.drop(here, sys.argv[2])):
            try:
                print(act(here))
            except DriverError as error:
                print(error.hint)
    """
    said = python(code, str(here.cache), built.name).stdout
    here.cache.chmod(0o700)
    assert said == "run it with sudo\nrun it with sudo\n"
