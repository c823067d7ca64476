"""What is made of our own files is kept for the next process, until one of them is written."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import machine

PACKAGE = Path(machine.__file__).parent
WHAT_IS_LOADED = """
import sys
from machine.bootstrap.bundle import agent_bundle
from machine.bootstrap.stub import stub
print(agent_bundle().sha256, len(stub()), int("jinja2" in sys.modules), int("zipfile" in sys.modules))
"""


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """An installation of its own, whose files can be written."""
    place = tmp_path / "installed"
    shutil.copytree(PACKAGE, place / "machine", symlinks=False, ignore=shutil.ignore_patterns("__pycache__"))
    return place


def in_a_new_process(installed: Path) -> list[str]:
    environ = {**os.environ, "PYTHONPATH": str(installed), "XDG_CACHE_HOME": str(installed.parent / "cache")}
    command = [sys.executable, "-P", "-c", WHAT_IS_LOADED]
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
