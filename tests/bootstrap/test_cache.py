"""What is made of our own files is kept for the next process, until one of them is written."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import machine
from machine.bootstrap.cache import DIGEST, cached

PACKAGE = Path(machine.__file__).parent
WHAT_IS_LOADED = """
import sys
from machine.bootstrap.bundle import agent_bundle
from machine.bootstrap.stub import stub
print(agent_bundle().sha256, len(stub()), int("jinja2" in sys.modules), int("zipfile" in sys.modules))
"""
NOT_FROM_A_CHECKOUT = """
import sys
sys.meta_path = [each for each in sys.meta_path if "editable" not in repr(each)]
"""


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """An installation of its own, whose files can be written."""
    place = tmp_path / "installed"
    shutil.copytree(PACKAGE, place / "machine", symlinks=False, ignore=shutil.ignore_patterns("__pycache__"))
    return place


def in_a_new_process(installed: Path, first: str = "") -> list[str]:
    environ = {**os.environ, "PYTHONPATH": str(installed), "XDG_CACHE_HOME": str(installed.parent / "cache")}
    command = [sys.executable, "-P", "-c", first + WHAT_IS_LOADED]
    return subprocess.run(command, capture_output=True, text=True, check=True, env=environ).stdout.split()


def test_the_second_process_finds_what_the_first_has_made(installed: Path) -> None:
    first, second = in_a_new_process(installed), in_a_new_process(installed)
    assert first[:2] == second[:2]
    assert (first[2:], second[2:]) == (["1", "1"], ["0", "0"]), "no template and no archive is made again"


@pytest.mark.parametrize(
    "file", ["agent/version.py", "templates/agent/stub.sh", "templates/agent/pymachine-agent.socket"]
)
def test_a_file_that_was_written_makes_another_one(installed: Path, file: str) -> None:
    before, path = in_a_new_process(installed), installed / "machine" / file
    status = path.stat()
    path.write_text(path.read_text().replace("pymachine", "Pymachine").replace("umask 077", "umask 0077") + "#")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))  # as an unpacked archive would have it
    assert in_a_new_process(installed)[:2] != before[:2]


def test_a_package_in_a_zip_is_never_taken_for_an_older_one(installed: Path) -> None:
    """Its files have no state that could be looked at."""

    def zipped() -> Path:
        return Path(shutil.make_archive(str(installed.parent / "package"), "zip", installed, "machine"))

    before = in_a_new_process(zipped(), first := NOT_FROM_A_CHECKOUT)
    version = installed / "machine/agent/version.py"
    version.write_text(version.read_text() + "#")
    assert in_a_new_process(zipped(), first)[0] != before[0]


@pytest.mark.parametrize("limit", [1, 50])
def test_a_full_disk_is_not_made_fuller(tmp_path: Path, home: Path, limit: int) -> None:
    command = ["sh", "-c", f"ulimit -f {limit}; exec \"$0\" -c '{WHAT_IS_LOADED}'", sys.executable]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    kept = (home / ".cache/pymachine/agent").iterdir()
    assert [path.name for path in kept if path.suffix not in (".sh", ".pyz")] == []


def test_what_cannot_be_removed_does_not_keep_the_rest(home: Path) -> None:
    directory = home / ".cache/pymachine/agent"
    directory.mkdir(mode=0o700, parents=True)
    (directory / "a directory").mkdir()
    os.utime(directory / "a directory", (0, 0))
    for number in range(1, 50):
        (directory / f"{number}.pyz").write_bytes(b"")
        os.utime(directory / f"{number}.pyz", (number, number))
    cached("new", lambda: b"content")
    assert len(list(directory.iterdir())) == 25


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has a home of another's")
@pytest.mark.parametrize("there", ["", ".cache", ".cache/pymachine"])
def test_root_leaves_nothing_in_the_home_of_another(home: Path, there: str) -> None:
    """What it made there, that one could not write to: as ``sudo -E`` would leave ``~/.cache``."""
    (home / there).mkdir(parents=True, exist_ok=True)
    for path in (home, *home.rglob("*")):
        os.chown(path, 65534, 65534)
    before = sorted(home.rglob("*"))
    assert cached("x", lambda: b"content")[DIGEST:] == b"content"
    assert sorted(home.rglob("*")) == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has a home of another's")
def test_root_believes_nothing_in_the_home_of_another(home: Path) -> None:
    """Who may rename our directory, puts another one of ours there, or a link after we have looked."""
    cached("x", lambda: b"content")
    os.chown(home, 65534, 65534)
    assert cached("x", lambda: b"another")[DIGEST:] == b"another"


@pytest.mark.parametrize(("mode", "found"), [(0o755, True), (0o775, True), (0o777, False), (0o1777, True)])
def test_a_directory_that_all_may_write_to_is_not_above_it(home: Path, mode: int, found: bool) -> None:
    cached("x", lambda: b"content")
    (home / ".cache").chmod(mode)
    assert cached("x", lambda: b"another")[DIGEST:] == (b"content" if found else b"another")
