"""Each row of ``docs/exit-codes.md`` is true."""

from __future__ import annotations

import re
import shlex
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from machine.store.store import Store
from tests.unit.specs import spec

DOCUMENT = Path(__file__).parents[3] / "docs" / "exit-codes.md"
ROWS = re.findall(r"^\| (\d+) \|.*\| `(.+?)` \|$", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE)


@pytest.fixture
def directory(tmp_path: Path) -> str:
    """A store with the machine web, whose create was finished and which is stopped."""
    store = Store(str(tmp_path / "store"))
    entry = store.journal.begin_create(spec(name="web"))
    store.journal.finish(entry, state=None)
    store.close()
    return str(tmp_path / "store")


def command(directory: str, line: str) -> tuple[list[str], dict[str, str]]:
    """The words of a documented command, run by this Python."""
    words = shlex.split(line)
    environ = dict(word.split("=", 1) for word in words[: words.index("pymachine")])
    return [sys.executable, "-m", "machine.cli", "-s", directory, *words[words.index("pymachine") + 1 :]], environ


@pytest.mark.parametrize(("code", "line"), ROWS, ids=[line for _, line in ROWS])
def test_a_documented_command_exits_as_documented(
    directory: str, code: str, line: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    words, environ = command(directory, line)
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    done = subprocess.run(
        words,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=DOCUMENT.parents[1],
    )
    assert done.returncode == int(code), done.stderr
    assert "Traceback" not in done.stderr
    if code not in ("0", "2"):  # 2 is an answer, and no error
        assert done.stderr.startswith("Error: ")
    store = Store(directory)
    assert store.machines.names() == (["web"] if "ssh-port=1 x" not in line else ["web", "x"])
    store.close()


def test_the_table_has_a_row_for_every_code() -> None:
    assert {code for code, _ in ROWS} == {"0", "1", "2", "3"}
    assert "| 130 |" in DOCUMENT.read_text(encoding="utf-8")


def test_ctrl_c_exits_130_and_says_how_to_go_on(directory: str) -> None:
    # Something that answers and never speaks SSH.
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        line = f"pymachine create -d generic --generic-ip-address=127.0.0.1 --generic-ssh-port={port} x"
        words, _ = command(directory, line)
        with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
            silent.settimeout(30)
            peer, _ = silent.accept()
            running.send_signal(signal.SIGINT)
            _, said = running.communicate(timeout=30)
            peer.close()
    assert running.returncode == 130
    assert "to go on: pymachine create x" in said
