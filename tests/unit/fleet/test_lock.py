"""One apply of a fleet at a time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from machine.deadline import Cancellation
from machine.errors import Cancelled, OperationInProgress
from machine.fleet.lock import fleet_lock

_HOLD = """
import sys
from machine.deadline import Cancellation
from machine.fleet.lock import fleet_lock
with fleet_lock(sys.argv[1], "shop", Cancellation()):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that holds the lock until its stdin ends."""
    words = [sys.executable, "-c", _HOLD, str(tmp_path)]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "held\n"
        yield running
        running.kill()


def test_whoever_does_not_wait_is_told_who_holds_it_since_when(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    with pytest.raises(OperationInProgress) as held, fleet_lock(str(tmp_path), "shop", Cancellation(), wait=False):
        pass
    assert f"process {holder.pid}, since 20" in str(held.value.cause)
    assert "@" in str(held.value.cause)


def test_another_fleet_is_nobodys_business(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    with fleet_lock(str(tmp_path), "other", Cancellation(), wait=False):
        assert holder.poll() is None


def test_whoever_waits_gets_it_when_the_holder_ends_and_is_told_once(
    tmp_path: Path, holder: subprocess.Popen[str]
) -> None:
    told: list[str] = []

    def on_wait(text: str) -> None:
        told.append(text)
        assert holder.stdin is not None
        holder.stdin.close()

    with fleet_lock(str(tmp_path), "shop", Cancellation(), on_wait=on_wait):
        assert len(told) == 1


def test_a_holder_that_was_killed_holds_nothing(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    with fleet_lock(str(tmp_path), "shop", Cancellation(), wait=False):
        pass


def test_a_wait_can_be_cancelled(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    cancellation = Cancellation()
    with (
        pytest.raises(Cancelled),
        fleet_lock(str(tmp_path), "shop", cancellation, on_wait=lambda _holder: cancellation.cancel()),
    ):
        pass


def test_only_its_owner_can_read_it(tmp_path: Path) -> None:
    with fleet_lock(str(tmp_path), "shop", Cancellation()):
        assert (tmp_path / "fleets" / "shop.lock").stat().st_mode & 0o777 == 0o600
