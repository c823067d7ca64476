"""What every test has: an environment that holds nothing of the developer's, and, where it asks for one, a store."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from machine.operations import log
from machine.store.store import Store

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # in the background of a shell: what tests start inherits it
    signal.signal(signal.SIGINT, signal.default_int_handler)

pytest.register_assert_rewrite("machine.testing.contract")  # its assertions show their values, as those here do

_DEVELOPERS = ("XDG_", "MACHINE_", "DOCKER_", "GENERIC_", "COMP_", "AWS_", "VIRTUALBOX_")
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
    monkeypatch.setenv("SHELL", "/bin/bash")  # a build server may have none
    return directory


@pytest.fixture(autouse=True)
def _no_secret_stays() -> Iterator[None]:
    """What one test's process keeps out of its logs is a plain word in another's."""
    yield
    log.forget_secrets()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A new store."""
    opened = Store(str(tmp_path / "store"))
    yield opened
    opened.close()
