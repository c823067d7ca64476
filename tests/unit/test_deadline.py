"""Deadlines, cancellation and retries; clock and sleep are ours, so nothing is waited for."""

from __future__ import annotations

import threading
import time

import pytest

from machine.deadline import Cancellation, Deadline
from machine.errors import Cancelled, DeadlineExceeded


class Clock:
    """Time that passes when somebody sleeps."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


class Failing:
    """Fails so many times, then succeeds."""

    def __init__(self, times: int) -> None:
        self.left = times

    def __call__(self) -> str:
        self.left -= 1
        if self.left >= 0:
            raise OSError(f"{self.left} left")
        return "done"


def always(_error: Exception) -> bool:
    return True


def test_a_retry_returns_the_first_success(clock: Clock) -> None:
    told: list[Exception] = []
    result = Deadline(10, clock=clock).retry(Failing(3), retryable=always, sleep=clock.sleep, on_retry=told.append)
    assert result == "done"
    assert len(clock.slept) == len(told) == 3


@pytest.mark.parametrize(("jitter", "pauses"), [(0.0, [0.5, 1, 2, 2]), (1.0, [1, 2, 4, 4])])
def test_pauses_double_up_to_the_longest_and_half_of_each_is_random(
    clock: Clock, jitter: float, pauses: list[float]
) -> None:
    Deadline(99, clock=clock).retry(
        Failing(4), retryable=always, first=1, longest=4, jitter=lambda: jitter, sleep=clock.sleep
    )
    assert clock.slept == pauses


def test_real_jitter_keeps_every_pause_between_half_and_the_whole(clock: Clock) -> None:
    Deadline(1e6, clock=clock).retry(Failing(200), retryable=always, first=1, longest=1, sleep=clock.sleep)
    assert all(0.5 <= pause <= 1 for pause in clock.slept)
    assert len(set(clock.slept)) > 100


def test_an_error_that_is_not_retryable_is_raised_at_once(clock: Clock) -> None:
    with pytest.raises(OSError, match="8 left"):
        Deadline(10, clock=clock).retry(Failing(9), retryable=lambda _error: False, sleep=clock.sleep)
    assert clock.slept == []


def test_the_last_error_is_raised_before_the_deadline_is_overslept(clock: Clock) -> None:
    deadline = Deadline(10, clock=clock)
    with pytest.raises(OSError, match="left"):
        deadline.retry(Failing(10_000), retryable=always, first=1, longest=4, sleep=clock.sleep)
    assert 5 < clock.now - 100 <= 10


def test_a_cancellation_ends_a_retry_between_attempts(clock: Clock) -> None:
    cancellation = Cancellation()
    deadline = Deadline(10, clock=clock, cancellation=cancellation)
    with pytest.raises(Cancelled):
        deadline.retry(Failing(99), retryable=always, sleep=lambda _seconds: cancellation.cancel())


def test_a_cancellation_ends_a_real_pause_at_once() -> None:
    cancellation = Cancellation()
    deadline = Deadline(60, cancellation=cancellation)
    threading.Timer(0.05, cancellation.cancel).start()
    begun = time.monotonic()
    with pytest.raises(Cancelled):
        deadline.retry(Failing(99), retryable=always, first=30, longest=30)
    assert time.monotonic() - begun < 5


def test_what_is_left_shrinks_and_is_never_nothing(clock: Clock) -> None:
    deadline = Deadline(10, clock=clock)
    assert (deadline.remaining(), deadline.remaining(3)) == (10, 3)
    clock.sleep(9)
    assert (deadline.remaining(), deadline.remaining(3), deadline.passed) == (1, 1, False)
    clock.sleep(9)
    assert (deadline.remaining(), deadline.passed) == (0.001, True)  # 0 would mean "for ever" to a socket


def test_a_check_says_what_was_waited_for_and_how_long(clock: Clock) -> None:
    deadline = Deadline(10, clock=clock)
    deadline.check()
    clock.sleep(10)
    with pytest.raises(DeadlineExceeded, match="gave up waiting for the moon after 10 s"):
        deadline.check("the moon")


def test_cancelled_counts_more_than_late(clock: Clock) -> None:
    deadline = Deadline(0, clock=clock)
    deadline.cancellation.cancel()
    with pytest.raises(Cancelled):
        deadline.check()


def test_a_child_is_cancelled_with_its_parent_and_alone() -> None:
    parent = Cancellation()
    first, second = parent.child(), parent.child()
    first.cancel()
    with pytest.raises(Cancelled):
        first.check()
    parent.check()
    second.check()
    parent.cancel()
    for each in (parent, second, parent.child()):
        with pytest.raises(Cancelled):
            each.check()
