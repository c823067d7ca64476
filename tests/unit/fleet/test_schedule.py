"""Groups by their dependencies, machines by the limits of their group; what acts is played."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from machine.deadline import Cancellation
from machine.errors import Cancelled, DriverError
from machine.fleet.model import Limits
from machine.fleet.schedule import Outcome, Work, schedule


@dataclass(frozen=True)
class Task:
    machine: str
    disturbs: bool = False


class Act:
    """Writes down what is begun and how many are at it, and fails where it is told to."""

    def __init__(self, *fails: str, work: Callable[[str], None] = lambda _name: None) -> None:
        self.begun: list[str] = []
        self.most = 0
        self._fails, self._work = fails, work
        self._now = 0
        self._lock = threading.Lock()

    def __call__(self, task: Task) -> None:
        with self._lock:
            self.begun.append(task.machine)
            self._now += 1
            self.most = max(self.most, self._now)
        try:
            self._work(task.machine)
            if task.machine in self._fails:
                raise DriverError("no capacity")
        finally:
            with self._lock:
                self._now -= 1


def tasks(name: str, count: int, *, disturbs: bool = False) -> list[Task]:
    return [Task(f"{name}-{number}", disturbs) for number in range(1, count + 1)]


def work(name: str, count: int = 2, *depends: str, disturbs: bool = False, **limits: float) -> Work[Task]:
    return Work(
        name=name, tasks=tasks(name, count, disturbs=disturbs), depends=depends, limits=Limits(**limits)  # type: ignore[arg-type]
    )  # fmt: skip


def skipped(outcomes: list[Outcome[Task]]) -> dict[str, str]:
    return {each.task.machine: each.skipped for each in outcomes if each.skipped}


def test_every_task_is_done_once_and_told_in_the_order_given() -> None:
    act = Act()
    told: list[str] = []
    outcomes = schedule([work("a", 3), work("b", 2)], act, ended=lambda each: told.append(each.task.machine))
    assert [each.task.machine for each in outcomes] == ["a-1", "a-2", "a-3", "b-1", "b-2"]
    assert all(each.done for each in outcomes)
    assert sorted(act.begun) == sorted(told) == ["a-1", "a-2", "a-3", "b-1", "b-2"]


def test_nothing_to_do_ends_at_once() -> None:
    assert schedule([], Act()) == []
    assert schedule([work("a", 0), work("b", 0, "a")], Act()) == []


@pytest.mark.parametrize("turned", [False, True])
def test_a_group_waits_for_those_it_depends_on_wherever_they_stand_in_the_file(turned: bool) -> None:
    act = Act()
    works = [work("db", 2), work("none", 0, "db"), work("app", 2, "none", "db"), work("web", 2, "app")]
    schedule(works[::-1] if turned else works, act)
    assert [name.partition("-")[0] for name in act.begun] == ["db", "db", "app", "app", "web", "web"]


def test_groups_that_do_not_depend_on_each_other_are_made_side_by_side() -> None:
    together = threading.Barrier(2)
    schedule([work("a", 1), work("b", 1)], Act(work=lambda _name: together.wait(10) and None))


@pytest.mark.parametrize(("limits", "parallel", "most"), [({"parallel": 3}, None, 3), ({}, 2, 2)])
def test_no_more_are_at_work_than_the_limits_say_and_no_fewer(
    limits: dict[str, float], parallel: int | None, most: int
) -> None:
    together = threading.Barrier(most)
    act = Act(work=lambda _name: together.wait(10) and None)
    schedule([work("a", 2 * most, **limits)], act, parallel=parallel)
    assert act.most == most


def test_one_that_fails_stops_no_other_until_there_are_too_many() -> None:
    act = Act("a-1", "a-3")
    outcomes = schedule([work("a", 5, parallel=1, max_failures=1)], act)
    assert act.begun == ["a-1", "a-2", "a-3"]
    assert [str(each.error) for each in outcomes if each.error] == ["no capacity", "no capacity"]
    assert outcomes[0].error is not None
    assert outcomes[0].error.machine == "a-1"
    assert skipped(outcomes) == dict.fromkeys(("a-4", "a-5"), "2 of the group a failed")


def test_what_depends_on_a_group_that_failed_is_not_begun_and_what_does_not_is() -> None:
    act = Act("a-1")
    outcomes = schedule([work("a", 1), work("b", 1, "a"), work("c", 1, "b"), work("d", 1)], act)
    assert sorted(act.begun) == ["a-1", "d-1"]
    assert skipped(outcomes) == {"b-1": "the group a is not as wanted", "c-1": "the group b is not as wanted"}


def test_a_group_within_its_failures_lets_others_begin() -> None:
    act = Act("a-1")
    schedule([work("a", 2, max_failures=1), work("b", 1, "a")], act)
    assert "b-1" in act.begun


def test_what_is_made_comes_before_what_is_changed_and_that_by_canaries_and_batches_looked_at_between() -> None:
    said: list[str] = []
    lock = threading.Lock()

    def note(what: str) -> Callable[[Task], None]:
        def noted(task: Task) -> None:
            with lock:
                said.append(f"{what} {task.machine}")

        return noted

    works = Work(
        name="a", tasks=[*tasks("old", 4, disturbs=True), Task("new-1")], limits=Limits(canary=1, batch=2, parallel=1)
    )
    schedule([works], note("act"), look=note("look"))
    assert said == [
        "act new-1",
        "act old-1",
        "look old-1",
        "act old-2",
        "act old-3",
        "look old-2",
        "look old-3",
        "act old-4",
        "look old-4",
    ]


def test_a_canary_that_fails_keeps_all_others_as_they_are_however_many_may_fail() -> None:
    act = Act("a-1")
    outcomes = schedule([work("a", 4, disturbs=True, canary=1, max_failures=9)], act, look=lambda _task: None)
    assert act.begun == ["a-1"]
    assert set(skipped(outcomes).values()) == {"a canary failed"}


def test_a_canary_that_does_not_do_its_work_afterwards_has_failed() -> None:
    def look(task: Task) -> None:
        raise DriverError(f"{task.machine} does not answer")

    outcomes = schedule([work("a", 3, disturbs=True, canary=1)], Act(), look=look)
    assert str(outcomes[0].error) == "a-1 does not answer"
    assert set(skipped(outcomes)) == {"a-2", "a-3"}


def test_a_batch_that_does_not_do_its_work_is_the_last() -> None:
    def look(task: Task) -> None:
        if task.machine in ("a-3", "a-4"):
            raise DriverError("it does not answer")

    act = Act()
    outcomes = schedule([work("a", 6, disturbs=True, batch=2, max_failures=1)], act, look=look)
    assert sorted(act.begun) == ["a-1", "a-2", "a-3", "a-4"]
    assert set(skipped(outcomes).values()) == {"2 of the group a failed"}


def test_without_canary_and_batches_nobody_looks_twice() -> None:
    def look(_task: Task) -> None:
        raise AssertionError("the operation has looked")

    assert all(each.done for each in schedule([work("a", 3, disturbs=True)], Act(), look=look))


def test_so_many_are_begun_per_second_and_account_and_another_account_does_not_wait() -> None:
    begun: dict[str, float] = {}

    def act(task: Task) -> None:
        begun[task.machine] = time.monotonic()

    many = Work(name="a", tasks=[*tasks("x", 6), Task("y-1")], limits=Limits(per_second=50))
    schedule([many], act, account=lambda task: task.machine[0])
    turns = [begun[f"x-{number}"] for number in range(1, 7)]
    assert turns[-1] - turns[0] >= 0.09
    assert begun["y-1"] < turns[-1]


def test_groups_of_one_account_share_its_rate() -> None:
    begun: list[float] = []
    schedule([work("a", 3, per_second=50), work("b", 3, per_second=50)], lambda _task: begun.append(time.monotonic()))
    assert max(begun) - min(begun) >= 0.09


def test_cancelled_it_begins_nothing_more_and_waits_for_what_is_begun() -> None:
    cancellation = Cancellation()
    ended: list[str] = []

    def act(task: Task) -> None:
        cancellation.cancel()
        ended.append(task.machine)
        cancellation.check()

    outcomes = schedule([work("a", 3, parallel=1, max_failures=9), work("b", 1)], act, parallel=1,
                        cancellation=cancellation)  # fmt: skip
    assert ended == ["a-1"]
    assert isinstance(outcomes[0].error, Cancelled)
    assert set(skipped(outcomes).values()) == {"stopped before it was begun"}


def test_a_fault_of_ours_is_raised_and_not_taken_for_a_machines() -> None:
    def act(_task: Task) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        schedule([work("a", 1)], act)


def test_a_thousand_machines_that_sometimes_fail_are_each_done_once() -> None:
    chance = random.Random(4711)
    failing = {f"a-{number}" for number in range(1, 1001) if chance.random() < 0.03}
    act = Act(*failing)
    outcomes = schedule([work("a", 1000, parallel=64, max_failures=1000)], act)
    assert sorted(act.begun) == sorted(each.task.machine for each in outcomes)
    assert {each.task.machine for each in outcomes if each.error} == failing
