"""A client whose machines are really created: records at a cloud in a file, and hosts that speak from a script."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import machine
from tests.conformance.hosts import Hosts, played


@pytest.fixture
def hosts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hosts:
    """The driver `memory` is installed, and is the one that is used where none is said."""
    monkeypatch.setenv("MACHINE_DRIVER", "memory")
    return played(tmp_path, monkeypatch)


@pytest.fixture
def client(hosts: Hosts, tmp_path: Path) -> Iterator[machine.Client]:
    """On an empty store."""
    with machine.Client(tmp_path / "store", timeout=60) as opened:
        yield opened
