"""Nurseries for the session, and worlds in memory where there is room for them."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from machine.testing.plugin import MEMORY, register_drivers
from tests.e2e.conftest import pymachine  # noqa: F401 - a fixture
from tests.faults.nursery import Nursery
from tests.faults.sweep import Sweep
from tests.faults.world import World
from tests.testbed.fixtures import *  # noqa: F403 - fixtures are found by name

_SHARED_MEMORY = "/dev/shm"  # fsync costs nothing there, and every point copies a store


@pytest.fixture(scope="session")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where worlds are made."""
    if not os.access(_SHARED_MEMORY, os.W_OK):
        yield tmp_path_factory.mktemp("worlds")
        return
    directory = tempfile.mkdtemp(prefix="pymachine-tests-", dir=_SHARED_MEMORY)
    yield Path(directory)
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def nurseries(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Nursery]]:
    """One per processor, at most four."""
    plugins = register_drivers(tmp_path_factory.mktemp("plugins"), MEMORY)
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
    with contextlib.ExitStack() as stack:
        environment = {**kept, "PYTHONPATH": str(plugins), "HOME": str(plugins)}
        count = min(os.cpu_count() or 1, 4)
        yield [stack.enter_context(Nursery(environment)) for _ in range(count)]


@pytest.fixture
def nursery(nurseries: list[Nursery]) -> Nursery:
    return nurseries[0]


@pytest.fixture
def place(room: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A directory for the worlds of one test."""
    directory = Path(tempfile.mkdtemp(dir=room))
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def world(place: Path, nursery: Nursery) -> World:
    """An empty one, with a scripted host."""
    return World(place / "world", nursery)


@pytest.fixture(scope="session")
def sweep(room: Path, nurseries: list[Nursery]) -> Sweep:
    """Whatever is done at many points, on every processor."""
    return Sweep(Path(tempfile.mkdtemp(dir=room)), nurseries)
