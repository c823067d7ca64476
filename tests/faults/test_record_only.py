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
MAIN = "from machine.hot import main; raise SystemExit(main())"


@dataclass
class Command:
    environ: dict[str, str]
    store: Path

    def __call__(self, *arguments: str, code: int = 0, name: str = "pymachine", **environ: str) -> str:
        """Run a command line in a process of its own; all that it said."""
        done = subprocess.run(
            [sys.executable, "-c", f"import sys; sys.argv[0] = {name!r}; {MAIN}", "-s", str(self.store), *arguments],
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


def _files_with_the_key(command: Command) -> list[Path]:
    return [path for path in command.store.rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()]


FLAG = ("--memory-api-key", KEY)
NO_KEY = {KEY_VARIABLE: ""}


def test_a_key_given_as_a_flag_is_refused_where_nothing_would_keep_it_and_the_variable_is_named(
    command: Command, cloud: MemoryCloud
) -> None:
    said = command(*CREATE, *FLAG, code=3, **NO_KEY)
    assert KEY_VARIABLE in said
    assert "--save-credentials" in said
    assert KEY not in said
    assert cloud.instances() == []
    assert command("ls", "-q") == ""
    assert _files_with_the_key(command) == []


def test_a_key_from_the_environment_is_in_no_file_of_the_store(command: Command, cloud: MemoryCloud) -> None:
    command("--debug", *CREATE, code=1)
    assert len(cloud.instances()) == 1
    assert _files_with_the_key(command) == []


@pytest.mark.parametrize("name", ["pymachine", "docker-machine"])
def test_a_key_that_is_kept_is_in_one_file_that_only_its_owner_reads_and_serves_every_later_command(
    command: Command, cloud: MemoryCloud, name: str
) -> None:
    asked = () if name == "docker-machine" else ("--save-credentials",)
    said = command("--debug", *CREATE, *asked, *FLAG, name=name, code=1, **NO_KEY)
    assert "a file that only you can read" in said
    assert KEY not in said
    (kept,) = _files_with_the_key(command)
    assert kept.name == "credentials.json"
    assert kept.stat().st_mode & 0o777 == 0o600
    assert "connect" in command("create", "--timeout", "1", "m1", name=name, code=1, **NO_KEY)  # goes on with it
    assert KEY not in command("inspect", "m1", name=name, **NO_KEY)
    command("rm", "-y", "m1", name=name, **NO_KEY)
    assert cloud.instances() == []
    assert _files_with_the_key(command) == []


def test_a_key_that_is_kept_outlives_a_machine_that_left_something_until_gc_has_removed_that(
    command: Command, cloud: MemoryCloud
) -> None:
    command(*CREATE, "--save-credentials", *FLAG, code=1, **NO_KEY)
    cloud.fail("terminate")
    command("rm", "-f", "m1", code=1, **NO_KEY)
    (kept,) = _files_with_the_key(command)
    assert kept.stat().st_mode & 0o777 == 0o600
    command("gc", "-y", **NO_KEY)
    assert cloud.instances() == []
    assert _files_with_the_key(command) == []


def test_each_account_is_asked_once_however_many_machines_are_in_it(command: Command, cloud: MemoryCloud) -> None:
    for number in (1, 2):
        command(*CREATE[:-1], f"m{number}", code=1)
    other = MemoryCloud(command.store.parent / "cloud" / "other")
    other.demand_key(KEY)
    command("create", "-d", "memory", "--memory-project", "other", "--timeout", "1", "m3", code=1)
    before = len(cloud.calls()), len(other.calls())
    command("ls")
    assert (len(cloud.calls()), len(other.calls())) == (before[0] + 1, before[1] + 1)
    command("rm", "-y", "m1", "m2", "m3")
    assert [cloud.instances(), other.instances()] == [[], []]


def test_several_are_made_by_one_command_and_each_failure_is_told(command: Command, cloud: MemoryCloud) -> None:
    said = command(*CREATE[:-1], "-n", "3", "web", code=1)
    assert sorted(each.machine for each in cloud.instances()) == ["web-1", "web-2", "web-3"]
    assert [f"web-{number}: connect" in said for number in (1, 2, 3)] == [True, True, True]
    assert "0 of 3 machines are ready" in said
    command("create", "--timeout", "1", "-n", "3", "web", code=1)  # goes on with all of them
    assert len(cloud.instances()) == 3
    command("rm", "-y", "web-1", "web-2", "web-3")
    assert cloud.instances() == []


def test_a_pre_check_that_fails_for_several_is_told_once_and_nothing_is_made(
    command: Command, cloud: MemoryCloud
) -> None:
    said = command("create", "-d", "memory", "-n", "3", "web", code=3, **NO_KEY)
    assert said.count("refuses") == 1
    assert cloud.instances() == []
    assert command("ls", "-q") == ""


def test_one_name_of_several_that_is_taken_is_told_before_anything_is_made(
    command: Command, cloud: MemoryCloud
) -> None:
    command(*CREATE[:-1], "web-2", code=1)
    said = command("create", "-d", "memory", "--memory-size", "2", "--timeout", "1", "-n", "3", "web", code=1)
    assert "web-2" in said
    assert "other options" in said
    assert [each.machine for each in cloud.instances()] == ["web-2"]


@pytest.mark.parametrize(("wanted", "left"), [("keep", 1), ("rollback", 0), ("ask", 1)])
def test_what_a_failed_create_made_is_kept_or_removed_as_was_said_and_never_without_an_answer(
    command: Command, cloud: MemoryCloud, wanted: str, left: int
) -> None:
    said = command(*CREATE, "--on-failure", wanted, code=1)
    assert len(cloud.instances()) == left
    assert command("ls", "-q").split() == ["m1"] * left
    assert ("to go on: pymachine create m1" in said) == bool(left)


def test_a_roll_back_that_fails_keeps_the_record_and_says_so(command: Command, cloud: MemoryCloud) -> None:
    cloud.fail("terminate")
    said = command(*CREATE, "--on-failure", "rollback", code=1)
    assert "did not remove" in said
    assert "pymachine rm" in said
    assert command("ls", "-q").split() == ["m1"]


def test_allow_lets_this_computer_in_and_a_network_that_is_said(command: Command, cloud: MemoryCloud) -> None:
    command(*CREATE, code=1)
    assert "lets you in" in command("allow", "m1")
    command("allow", "m1", "--cidr", "203.0.113.0/24")
    (made,) = cloud.instances()
    assert made.networks == ("127.0.0.1/32", "203.0.113.0/24")
    assert "'everybody' is not a network" in command("allow", "m1", "--cidr", "everybody", code=1)


def test_a_driver_without_a_firewall_says_where_to_do_it(command: Command) -> None:
    command("create", "-d", "none", "--url", "tcp://127.0.0.1:1", "plain")
    assert "has no say" in command("allow", "plain", code=1)


def test_a_machine_that_was_not_finished_is_not_resized(command: Command) -> None:
    command(*CREATE, code=1)
    assert "not finished" in command("resize", "m1", "--memory-size", "4", code=1)


def test_resize_says_what_can_be_changed(command: Command) -> None:
    command("create", "-d", "none", "--url", "tcp://127.0.0.1:1", "plain")
    assert "cannot resize" in command("resize", "plain", code=1)
    command(*CREATE, code=1)
    assert "--memory-size" in command("resize", "m1", code=1)
