"""Two conversations never change a host at once."""

from __future__ import annotations

import fcntl
from pathlib import Path

import pytest

from machine.agent.converge import lock
from machine.agent.errors import Failed
from machine.agent.host import Host
from machine.agent.wire import Wire


class Sink:
    """What a conversation says."""

    def __init__(self) -> None:
        self.said = b""

    def write(self, data: bytes) -> int:
        self.said += data
        return len(data)

    def flush(self) -> None:
        """Nothing is kept back."""


@pytest.fixture
def host(tmp_path: Path) -> Host:
    (tmp_path / "run").mkdir()
    return Host(str(tmp_path))


@pytest.fixture
def sink() -> Sink:
    return Sink()


def test_the_second_waits_says_so_and_gives_up_in_time(host: Host, sink: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "WAIT_SECONDS", 0.05)
    wire = Wire(None, sink)
    lock.take(host, wire)
    with pytest.raises(Failed) as caught:
        lock.take(host, wire)
    assert caught.value.code == "busy"
    assert b"waiting for another pymachine" in sink.said


def test_the_second_has_its_turn_when_the_first_has_gone(host: Host, sink: Sink) -> None:
    first = lock.take(host, Wire(None, sink))
    fcntl.flock(first, fcntl.LOCK_UN)
    lock.take(host, Wire(None, sink))
    assert b"waiting" not in sink.said
