"""The command with a provider that outlives its processes: instances are records, so every create ends at `connect`."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from machine.testing.cloud import MemoryCloud
from machine.testing.memory import CLOUD_VARIABLE, KEY_VARIABLE
from machine.testing.plugin import MEMORY, register_drivers

KEY = "canary-4711"


@dataclass
class Command:
    environ: dict[str, str]
    store: Path

    def __call__(self, *arguments: str, code: int = 0, **environ: str) -> str:
        """Run a command line in a process of its own; all that it said."""
        done = subprocess.run(
            [sys.executable, "-m", "machine.cli", "-s", str(self.store), *arguments],
            env={**self.environ, **environ},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr


@pytest.fixture
def cloud(tmp_path: Path) -> MemoryCloud:
    made = MemoryCloud(tmp_path / "cloud")
    made.demand_key(KEY)
    return made


@pytest.fixture
def command(tmp_path: Path, cloud: MemoryCloud) -> Command:
    plugins = register_drivers(tmp_path / "plugins", MEMORY)
    environ = {**os.environ, "PYTHONPATH": str(plugins), CLOUD_VARIABLE: str(tmp_path / "cloud"), KEY_VARIABLE: KEY}
    return Command(environ, tmp_path / "store")


CREATE = ("create", "-d", "memory", "--timeout", "1", "m1")


def test_a_create_ends_at_connect_with_one_instance_recorded_and_rm_removes_it(
    command: Command, cloud: MemoryCloud
) -> None:
    assert "connect" in command(*CREATE, code=1)
    (made,) = cloud.instances()
    assert made.id in command("inspect", "m1")
    command("rm", "-y", "m1")
    assert cloud.instances() == []
    assert command("ls", "-q") == ""


@pytest.mark.parametrize("fault", ["kill-before", "kill-after"])
def test_a_create_killed_in_the_providers_call_is_finished_by_the_next_and_makes_no_second(
    command: Command, cloud: MemoryCloud, fault: str
) -> None:
    cloud.fail("run", kind=fault)
    command(*CREATE, code=-signal.SIGKILL)
    assert "connect" in command("create", "--timeout", "1", "m1", code=1)
    assert len(cloud.instances()) == 1


@pytest.mark.parametrize("fault", ["kill-before", "kill-after"])
def test_a_create_killed_in_the_providers_call_can_be_removed_whole(
    command: Command, cloud: MemoryCloud, fault: str
) -> None:
    cloud.fail("run", kind=fault)
    command(*CREATE, code=-signal.SIGKILL)
    command("rm", "-y", "m1")
    assert cloud.instances() == []


def test_a_remove_whose_answer_was_lost_is_finished_by_the_next(command: Command, cloud: MemoryCloud) -> None:
    command(*CREATE, code=1)
    cloud.fail("terminate", kind="lost")
    assert "no answer" in command("rm", "-y", "m1", code=1)
    command("rm", "-y", "m1")
    assert command("ls", "-q") == ""


def test_a_key_given_as_a_flag_is_in_no_file_of_the_store(command: Command, cloud: MemoryCloud) -> None:
    command(*CREATE, "--memory-api-key", KEY, code=1, **{KEY_VARIABLE: ""})
    assert len(cloud.instances()) == 1
    found = [path for path in command.store.rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()]
    assert found == []
