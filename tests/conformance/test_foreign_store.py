"""The real docker-machine's store is recognised, named, and never mixed with ours."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    """What docker-machine leaves where it keeps its machines."""
    machine = tmp_path / "theirs" / "machines" / "web"
    machine.mkdir(parents=True)
    (machine / "config.json").write_text('{"ConfigVersion": 3, "DriverName": "generic", "Name": "web", "Driver": {}}')
    return tmp_path / "theirs"


def say(tmp_path: Path, name: str, directory: Path, *words: str) -> subprocess.CompletedProcess[str]:
    link = tmp_path / name
    if not link.exists():
        link.symlink_to(Path(sys.executable).with_name("pymachine"))
    return subprocess.run(
        [str(link), "-s", str(directory), *words], capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("name", ["pymachine", "docker-machine"])
@pytest.mark.parametrize(
    "words", [["ls"], ["create", "-d", "none", "--url", "tcp://192.0.2.1:2376", "x"], ["env", "web"]]
)
def test_their_store_is_named_and_left_alone(tmp_path: Path, theirs: Path, name: str, words: list[str]) -> None:
    before = sorted(str(path) for path in theirs.rglob("*"))
    done = say(tmp_path, name, theirs, *words)
    assert done.returncode == 1
    assert "is docker-machine's own store" in done.stderr
    assert f"{name} import --in-place" in done.stderr
    assert sorted(str(path) for path in theirs.rglob("*")) == before


def test_what_needs_no_store_works_all_the_same(tmp_path: Path, theirs: Path) -> None:
    assert say(tmp_path, "docker-machine", theirs, "version").returncode == 0
