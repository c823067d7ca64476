"""The testbed for pytest: ``from tests.testbed.fixtures import *`` in a conftest."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.testbed.host import Host, User, make_host
from tests.testbed.leftovers import leftovers, settings

__all__ = ["Host", "HostFactory", "User", "bare_host", "docker_host", "host_factory", "needs_root", "nothing_stays"]

HostFactory = Callable[..., Host]


@pytest.fixture(scope="session")
def needs_root() -> None:
    """Skip where no machine can be made at all, and say why."""
    if os.geteuid() != 0:
        pytest.skip("makes real machines: needs root")


@pytest.fixture
def host_factory(needs_root: None) -> Iterator[HostFactory]:
    """``make_host``, with every host it made removed after the test."""
    made: list[Host] = []

    def make(**arguments: Any) -> Host:
        host = make_host(**arguments)
        made.append(host)
        return host

    yield make
    for host in made:
        host.remove()


@pytest.fixture(scope="module")
def docker_host(needs_root: None) -> Iterator[Host]:
    """A host with the engine, for the tests of one file."""
    host = make_host(kind="docker")
    yield host
    host.remove()


@pytest.fixture(scope="module")
def bare_host(needs_root: None) -> Iterator[Host]:
    """A host with neither engine nor Python, for the tests of one file."""
    host = make_host(kind="bare")
    yield host
    host.remove()


@pytest.fixture
def nothing_stays(needs_root: None) -> Iterator[None]:
    """Assert that the test leaves on this computer what it found there."""
    before, values = leftovers(), settings()
    yield
    assert [line for line in leftovers() if line not in before] == []
    assert before or settings() == values
