"""An agent in front of a fake engine: one for all tests that leave it as it was, or one of a test's own."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from machine.bootstrap.bundle import agent_bundle

sys.path.insert(0, str(Path(__file__).parent))  # the helpers beside this file

import pki
from agent_process import Agent, until
from fake_engine import FakeEngine


@pytest.fixture(scope="session")
def zipapp(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("agent") / "agent.pyz"
    path.write_bytes(agent_bundle().data)
    return path


@pytest.fixture(scope="session")
def authority() -> pki.Authority:
    return pki.Authority()


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory with a short name: the path of a Unix socket has 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="agent-") as directory:
        yield Path(directory)


@pytest.fixture(scope="session")
def shared(zipapp: Path, authority: pki.Authority) -> Iterator[tuple[Agent, FakeEngine]]:
    with tempfile.TemporaryDirectory(prefix="agent-") as directory:
        fake = FakeEngine(Path(directory) / "engine.sock")
        running = Agent(zipapp, Path(directory), authority)
        yield running, fake
        running.stop()
        fake.stop()


@pytest.fixture
def engine(shared: tuple[Agent, FakeEngine]) -> FakeEngine:
    shared[1].reset()
    return shared[1]


@pytest.fixture
def agent(shared: tuple[Agent, FakeEngine], engine: FakeEngine) -> Iterator[Agent]:
    """The shared one; afterwards its clients are gone, and it has made no mistake."""
    running = shared[0]
    running.forget_log()
    yield running
    running.drop_clients()
    until(lambda: running.descriptors() == running.descriptors_at_rest)
    assert running.faults() == []


@pytest.fixture
def own_engine(place: Path) -> Iterator[FakeEngine]:
    fake = FakeEngine(place / "engine.sock")
    yield fake
    fake.stop()


@pytest.fixture
def own_agent(zipapp: Path, place: Path, own_engine: FakeEngine, authority: pki.Authority) -> Iterator[Agent]:
    """One for a test that reloads, stops or measures it."""
    running = Agent(zipapp, place, authority)
    yield running
    running.stop()
    assert running.faults() == []
