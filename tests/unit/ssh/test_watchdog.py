"""What waits for an answer that may never come is closed; what is answered is left alone."""

from __future__ import annotations

import threading
import time

import pytest

from machine.ssh import watchdog


class Waiting:
    """As a channel: it waits until it is closed, and closing may take its time."""

    def __init__(self, good_bye: float = 0.0) -> None:
        self.closed, self._good_bye = threading.Event(), good_bye

    def close(self) -> None:
        time.sleep(self._good_bye)
        self.closed.set()


def test_what_is_late_is_closed_and_a_slow_good_bye_holds_nobody_up() -> None:
    slow, late, timely = Waiting(good_bye=2.0), Waiting(), Waiting()
    with watchdog.closing_after(slow, 0.0), watchdog.closing_after(late, 0.0), watchdog.closing_after(timely, 60.0):
        assert late.closed.wait(10)
        assert not slow.closed.is_set()
    assert slow.closed.wait(10)
    assert not timely.closed.is_set()


def test_the_thread_is_there_only_while_something_is_watched() -> None:
    def watching() -> list[threading.Thread]:
        return [each for each in threading.enumerate() if each.name == "ssh-watchdog"]

    with watchdog.closing_after(Waiting(), 60.0), watchdog.closing_after(Waiting(), 60.0):
        (thread,) = watching()
    thread.join(10)
    assert watching() == []
    again = Waiting()
    with watchdog.closing_after(again, 0.0):
        assert again.closed.wait(10)


def test_where_no_thread_is_to_be_had_nobody_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    start, refused = threading.Thread.start, threading.Event()

    def once_not(thread: threading.Thread) -> None:
        if thread.name == "ssh-watchdog-close" and not refused.is_set():
            refused.set()
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threading.Thread, "start", once_not)
    first, second = Waiting(), Waiting()
    with watchdog.closing_after(first, 0.0), watchdog.closing_after(second, 1.0):
        assert first.closed.wait(10)
        assert second.closed.wait(10)
    assert refused.is_set()
