"""Machines for the tests that need one; every fixture removes what it made."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.command import Pymachine
from tests.testbed.fixtures import *  # noqa: F403 - fixtures are found by name


@pytest.fixture
def pymachine(tmp_path_factory: pytest.TempPathFactory, host_factory: object) -> Iterator[Pymachine]:
    """The command with an empty store; machines that a test leaves are removed, while their hosts are still there."""
    command = Pymachine(tmp_path_factory.mktemp("store"))
    yield command
    _remove_all(command)


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory, needs_root: None) -> Iterator[tuple[Pymachine, str]]:
    """One nspawn machine for the tests of a file, and the command that owns it."""
    command = Pymachine(tmp_path_factory.mktemp("store"))
    command("create", "-y", "-d", "nspawn", "e2e")
    yield command, "e2e"
    _remove_all(command)


def _remove_all(command: Pymachine) -> None:
    names = command("ls", "-q").stdout.split()
    if names:
        command("rm", "-f", *names, code=None)
