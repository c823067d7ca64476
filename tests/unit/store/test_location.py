"""Where the store is: which word wins, and what docker-machine's own store is safe from."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from machine.store.location import cache_directory, store_directory

sys_platform = sys.platform


def test_the_flag_wins_over_everything(tmp_path: Path) -> None:
    environ = {"PYMACHINE_HOME": "/b", "MACHINE_STORAGE_PATH": str(tmp_path), "XDG_DATA_HOME": "/d"}
    assert store_directory("/a", environ) == "/a"


def test_pymachine_home_wins_over_docker_machines_variable(tmp_path: Path) -> None:
    assert store_directory(None, {"PYMACHINE_HOME": "/b", "MACHINE_STORAGE_PATH": str(tmp_path)}) == "/b"


def test_a_relative_path_is_made_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert store_directory("here", {}) == str(tmp_path / "here")
    assert store_directory(None, {"PYMACHINE_HOME": "there"}) == str(tmp_path / "there")


@pytest.mark.parametrize(
    ("held", "ours"),
    [
        (None, True),  # does not exist
        ([], True),
        (["pymachine.db", "machines", "certs"], True),
        (["machines", "certs"], False),  # docker-machine's own
        (["letters"], False),
    ],
)
def test_docker_machines_variable_counts_where_our_store_or_nothing_is(
    tmp_path: Path, held: list[str] | None, ours: bool
) -> None:
    place = tmp_path / "machine"
    if held is not None:
        place.mkdir()
        for name in held:
            (place / name).touch()
    found = store_directory(None, {"MACHINE_STORAGE_PATH": str(place), "XDG_DATA_HOME": "/data"})
    assert found == (str(place) if ours else "/data/pymachine")


def test_a_file_in_docker_machines_variable_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    environ = {"MACHINE_STORAGE_PATH": str(tmp_path / "file"), "XDG_DATA_HOME": "/data"}
    assert store_directory(None, environ) == "/data/pymachine"


@pytest.mark.parametrize("variable", ["", "  ", "relative/path", "/data home"])
@pytest.mark.parametrize("platform", ["linux", "darwin"])
def test_the_default_is_the_one_of_platformdirs(monkeypatch: pytest.MonkeyPatch, platform: str, variable: str) -> None:
    from platformdirs.macos import MacOS
    from platformdirs.unix import Unix

    monkeypatch.setenv("XDG_DATA_HOME", variable)
    expected = (MacOS if platform == "darwin" else Unix)("pymachine", appauthor=False).user_data_dir
    monkeypatch.setattr(sys, "platform", platform)
    assert store_directory(None, os.environ) == expected


@pytest.mark.parametrize("variable", ["", "  ", "relative/path", "/cache home"])
@pytest.mark.parametrize("platform", ["linux", "darwin"])
def test_the_cache_is_where_platformdirs_has_it(monkeypatch: pytest.MonkeyPatch, platform: str, variable: str) -> None:
    from platformdirs.macos import MacOS
    from platformdirs.unix import Unix

    monkeypatch.setenv("XDG_CACHE_HOME", variable)
    expected = (MacOS if platform == "darwin" else Unix)("pymachine", appauthor=False).user_cache_dir
    monkeypatch.setattr(sys, "platform", platform)
    assert cache_directory(os.environ) == expected


@pytest.mark.skipif(sys_platform == "win32", reason="there it asks Windows itself")
def test_the_defaults_on_windows_are_those_of_platformdirs(monkeypatch: pytest.MonkeyPatch) -> None:
    from platformdirs import windows

    monkeypatch.setattr(windows, "get_win_folder", windows.get_win_folder_from_env_vars)
    monkeypatch.setenv("LOCALAPPDATA", "/Users/me/AppData/Local")
    known = windows.Windows("pymachine", appauthor=False)
    expected = (known.user_data_dir, known.user_cache_dir)
    monkeypatch.setattr(sys, "platform", "win32")
    assert (store_directory(None, os.environ), cache_directory(os.environ)) == expected
