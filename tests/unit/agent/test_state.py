"""What the agent remembers: durable when it is put, and written once for several things that are noted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from machine.agent.converge.state import State
from machine.agent.host import Host


class CountingHost(Host):
    """Knows how often a file of it was written."""

    writes = 0

    def write(self, path: str, data: bytes, *arguments: Any, **options: Any) -> bool:
        self.writes += 1
        return super().write(path, data, *arguments, **options)


@pytest.fixture
def host(tmp_path: Path) -> CountingHost:
    return CountingHost(str(tmp_path))


def on_disk(host: Host) -> dict[str, Any]:
    data = host.read(host.own("state.json"))
    return json.loads(data) if data else {}


def test_what_is_noted_is_written_once_with_what_is_put_next(host: CountingHost) -> None:
    state = State.load(host)
    state.note("engine", {"source": "found"})
    state.note("service", {"variant": "plain"})
    assert on_disk(host) == {}
    state.put("endpoint", {"port": 2376})
    assert on_disk(host) == {"engine": {"source": "found"}, "service": {"variant": "plain"}, "endpoint": {"port": 2376}}
    state.save()
    assert host.writes == 1


def test_what_is_noted_is_written_even_when_what_is_put_next_is_known(host: CountingHost) -> None:
    State.load(host).put("endpoint", {"port": 2376})
    state = State.load(host)
    state.note("service", {"variant": "plain"})
    state.put("endpoint", {"port": 2376})
    assert on_disk(host) == {"service": {"variant": "plain"}, "endpoint": {"port": 2376}}


def test_what_is_known_is_not_written_again_and_none_forgets(host: CountingHost) -> None:
    state = State.load(host)
    state.put("endpoint", {"port": 2376})
    state.note("endpoint", {"port": 2376})
    state.put("other", None)
    state.save()
    assert host.writes == 1
    state.put("endpoint", None)
    assert on_disk(host) == {}
