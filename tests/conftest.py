"""What every test has: an environment that holds nothing of the developer's, and, where it asks for one, a store."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from machine.store.store import Store

pytest.register_assert_rewrite("machine.testing.contract")  # its assertions show their values, as those here do

_DEVELOPERS = ("XDG_", "MACHINE_", "DOCKER_", "GENERIC_", "COMP_")
_ALSO = ("PYMACHINE_HOME", "_PYMACHINE_COMPLETE", "SSH_AUTH_SOCK", "SSH_AGENT_PID", "no_proxy", "NO_PROXY")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home; the variables by which the developer's own store, engine and keys would be found are unset."""
    for name in os.environ:
        if name.startswith(_DEVELOPERS) or name in _ALSO:
            monkeypatch.delenv(name)
    directory = tmp_path / "home"
    directory.mkdir(mode=0o700)
    monkeypatch.setenv("HOME", str(directory))
    return directory


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A new store."""
    opened = Store(str(tmp_path / "store"))
    yield opened
    opened.close()
