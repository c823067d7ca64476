"""``use`` switches the shell it is typed in: tried in the shells themselves."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from machine.store.store import Store
from tests.unit.specs import add_machine

# How each shell says what is needed of it here.
START = {
    "bash": 'eval "$(pymachine shell-init bash)"',
    "zsh": 'eval "$(pymachine shell-init zsh)"',
    "fish": "pymachine shell-init fish | source",
}
SAY = dict.fromkeys(("bash", "zsh"), 'echo "<${DOCKER_HOST-none}>"') | {
    "fish": 'set -q DOCKER_HOST; and echo "<$DOCKER_HOST>"; or echo "<none>"'
}
CODE = {"bash": 'echo "code $?"', "zsh": 'echo "code $?"', "fish": 'echo "code $status"'}
FLAGS = {"bash": ["--norc"], "zsh": ["-f"], "fish": ["--no-config"]}
A, B = "tcp://192.0.2.1:2376", "tcp://192.0.2.2:2376"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A store with the machines a and b, in a directory whose name wants quoting."""
    place = tmp_path / "the store"
    store = Store(str(place))
    add_machine(store, "a", address="192.0.2.1", url=A)
    add_machine(store, "b", address="192.0.2.2", url=B)
    store.close()
    return place


def typed(shell: str, directory: Path, *lines: str) -> subprocess.CompletedProcess[str]:
    """A session in a shell that has been set up."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environ = {**os.environ, "PATH": path, "PYMACHINE_HOME": str(directory), "HOME": str(directory.parent)}
    script = "\n".join([START[shell], *lines])
    return subprocess.run(
        [shell, *FLAGS[shell], "-c", script], env=environ, capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("shell", START)
def test_use_switches_goes_back_and_clears(shell: str, directory: Path) -> None:
    say = SAY[shell]
    done = typed(
        shell, directory, "pymachine use a", say, "pymachine use b", say, "pymachine use -", say,
        "pymachine_ps1", "echo", "pymachine use --unset", say, "pymachine_ps1",
    )  # fmt: skip
    assert done.stderr == ""
    shown = [line for line in done.stdout.splitlines() if line.startswith("<")]
    assert shown == [f"<{A}>", f"<{B}>", f"<{A}>", "<none>"]
    assert f"Using b at {B}" in done.stdout
    assert "[a]" in done.stdout


@pytest.mark.parametrize("shell", START)
def test_a_machine_that_cannot_be_used_leaves_the_shell_as_it_was(shell: str, directory: Path) -> None:
    done = typed(shell, directory, "pymachine use a", "pymachine use nobody", CODE[shell], SAY[shell])
    assert 'no machine "nobody"' in done.stderr
    assert "code 1" in done.stdout
    assert f"<{A}>" in done.stdout


@pytest.mark.parametrize("shell", START)
def test_going_back_without_a_before_is_said(shell: str, directory: Path) -> None:
    done = typed(shell, directory, "pymachine use -", CODE[shell])
    assert "no machine was used before" in done.stderr
    assert "code 1" in done.stdout


@pytest.mark.parametrize("shell", START)
def test_every_other_command_is_the_command_s_own(shell: str, directory: Path) -> None:
    done = typed(shell, directory, "pymachine ls -q", "pymachine nonsense", CODE[shell])
    assert done.stdout == "a\nb\ncode 1\n"
    assert "No such command 'nonsense'" in done.stderr


def test_without_the_function_use_says_how_to_get_it(directory: Path) -> None:
    done = subprocess.run(
        [str(Path(sys.executable).with_name("pymachine")), "use", "a"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert 'eval "$(pymachine shell-init bash)"' in done.stderr
