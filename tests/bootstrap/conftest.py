"""A host in a directory, and an operator who signs."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "unit/agent")]  # the helpers

from fake_host import FakeHost  # noqa: E402
from operator_side import Operator  # noqa: E402


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory with a short name: the path of a Unix socket has 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="host-") as directory:
        yield Path(directory)


@pytest.fixture
def host(place: Path) -> Iterator[FakeHost]:
    fake = FakeHost(place)
    yield fake
    fake.close()


@pytest.fixture
def bare_host(place: Path) -> Iterator[FakeHost]:
    """One without an engine."""
    fake = FakeHost(place, engine=False)
    yield fake
    fake.close()


@pytest.fixture
def operator() -> Operator:
    return Operator()
