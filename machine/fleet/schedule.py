"""In which order, and how many at once: groups by their dependencies, machines by the limits of their group.

One thread decides, the others act. Nothing here knows what acting is: it is driven by a fleet's apply, and by whoever
wants to know what deciding costs. A step of a group begins when the step before it has ended: what is made and mended,
then the canaries among what is changed, then the batches; after each of the latter everything in it is looked at.
"""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from machine.deadline import Cancellation
from machine.errors import Cancelled, PymachineError
from machine.fleet.model import Limits

_LOOK_UP_SECONDS = 0.25  # how often a silent wait looks at a cancellation
MOST_AT_ONCE = 256  # threads: groups side by side, each with its own limit


class Task(Protocol):
    """What is scheduled; a fleet's are its changes."""

    @property
    def machine(self) -> str:
        """The machine's name."""

    @property
    def disturbs(self) -> bool:
        """Whether something in use is changed: by canary and batches, and looked at between."""


T = TypeVar("T", bound=Task)


@dataclass(frozen=True, slots=True, kw_only=True)
class Work(Generic[T]):
    """The tasks of one group."""

    name: str
    tasks: Sequence[T]
    depends: tuple[str, ...] = ()
    limits: Limits = field(default_factory=Limits)


@dataclass(slots=True)
class Outcome(Generic[T]):
    """What came of a task."""

    task: T
    group: str
    error: PymachineError | None = None
    skipped: str = ""  # why it was not begun
    seconds: float = 0.0

    @property
    def done(self) -> bool:
        """Whether it is as wanted."""
        return self.error is None and not self.skipped


def schedule(
    groups: Sequence[Work[T]],
    act: Callable[[T], None],
    *,
    look: Callable[[T], None] | None = None,
    account: Callable[[T], str] = lambda _task: "",
    parallel: int | None = None,
    cancellation: Cancellation | None = None,
    ended: Callable[[Outcome[T]], None] = lambda _outcome: None,
) -> list[Outcome[T]]:
    """Run the tasks of all groups.

    Args:
        act: does one, on a thread of its own; what it raises is its outcome, and no other's.
        look: whether a machine that was changed does its work; raises where it does not.
        account: whose rate a task counts for.
        parallel: at most so many at once, over all groups.
        cancellation: when it is cancelled nothing more is begun; who acts looks at it, too.
        ended: called, on this thread, for each outcome as it comes.

    Returns:
        An outcome for every task, in the order given; those that were not begun say why.
    """
    return _Scheduler(groups, act, look, account, parallel, cancellation or Cancellation(), ended).run()


@dataclass(slots=True)
class _Group(Generic[T]):
    """A group under way."""

    work: Work[T]
    stages: Iterator[tuple[list[T], bool, bool]]  # tasks, whether they are looked at, whether one failure is too many
    ready: dict[str, deque[T]] = field(default_factory=dict)  # of this stage, by account
    stage: list[T] = field(default_factory=list)
    looked_at: bool = False
    strict: bool = False
    looking: bool = False  # the stage's tasks have ended, and are looked at
    running: int = 0
    failures: int = 0
    begun: bool = False
    over: bool = False
    stopped: str = ""  # why nothing more of it is begun

    @property
    def well(self) -> bool:
        """Whether what depends on it may begin."""
        return self.over and not self.stopped and self.failures <= self.work.limits.max_failures


class _Scheduler(Generic[T]):
    def __init__(
        self,
        groups: Sequence[Work[T]],
        act: Callable[[T], None],
        look: Callable[[T], None] | None,
        account: Callable[[T], str],
        parallel: int | None,
        cancellation: Cancellation,
        ended: Callable[[Outcome[T]], None],
    ) -> None:
        self._act, self._look, self._account = act, look, account
        self._cancellation, self._ended = cancellation, ended
        self._groups = [_Group(work, _stages(work, looks=look is not None)) for work in groups]
        self._by_name = {each.work.name: each for each in self._groups}
        self._outcomes = {id(task): Outcome(task, work.name, skipped="?") for work in groups for task in work.tasks}
        self._order = [id(task) for work in groups for task in work.tasks]
        self._most = max(min(parallel or MOST_AT_ONCE, MOST_AT_ONCE), 1)
        self._running = 0
        self._threads = 0
        self._todo: queue.SimpleQueue[tuple[_Group[T], T, Callable[[T], None]] | None] = queue.SimpleQueue()
        self._done: queue.SimpleQueue[tuple[_Group[T], T, PymachineError | BaseException | None, float]]
        self._done = queue.SimpleQueue()
        self._last_begun: dict[str, float] = {}  # by account

    def run(self) -> list[Outcome[T]]:
        """Until nothing is left that may begin."""
        try:
            while True:
                pause = self._begin()
                if self._running == 0 and pause is None:
                    break
                try:
                    self._note(*self._done.get(timeout=_LOOK_UP_SECONDS if pause is None else pause))
                except queue.Empty:
                    continue
                while not self._done.empty():
                    self._note(*self._done.get())
        finally:
            for _ in range(self._threads):
                self._todo.put(None)
        for group in self._groups:
            for task in group.work.tasks:
                outcome = self._outcomes[id(task)]
                if outcome.skipped == "?":
                    outcome.skipped = group.stopped or "it was not begun"
                    self._ended(outcome)
        return [self._outcomes[key] for key in self._order]

    def _begin(self) -> float | None:
        """Begin what may begin now.

        Returns:
            Seconds until an account's rate lets in the next; None: nothing waits for that.
        """
        cancelled = self._cancellation.cancelled
        soonest, over = float("inf"), -1
        while over != (over := sum(group.over for group in self._groups)):  # the end of one may be another's turn
            for group in self._groups:
                if group.over:
                    continue
                if cancelled:
                    group.stopped = group.stopped or "stopped before it was begun"
                if not group.begun and not self._may_begin(group):
                    continue
                self._advance(group)
                if not group.stopped:
                    soonest = min(soonest, self._begin_some(group))
        return None if soonest == float("inf") else max(soonest - time.monotonic(), 0.0)

    def _may_begin(self, group: _Group[T]) -> bool:
        """Whether all that it depends on is there; where that will never be, it is over."""
        for name in group.work.depends:
            other = self._by_name.get(name)
            if other is None or other.well:
                continue
            if other.over:
                group.stopped = group.stopped or f"the group {name} is not as wanted"
                group.over = True
            elif not group.stopped:
                return False
        if group.stopped:
            group.over = True
            return False
        group.begun = True
        return True

    def _advance(self, group: _Group[T]) -> None:
        """From stage to stage, past those that have ended; to its end."""
        while group.running == 0 and (group.stopped or not any(group.ready.values())):
            if not group.stopped and group.looked_at and not group.looking:
                # What failed is known to; the others are looked at.
                left = [task for task in group.stage if self._outcomes[id(task)].done]
                group.looking = True
                if left:
                    self._fill(group, left)
                    continue
            following = None if group.stopped else next(group.stages, None)
            if following is None:
                group.over = True
                return
            group.stage, group.looked_at, group.strict = following
            group.looking = False
            self._fill(group, group.stage)

    def _fill(self, group: _Group[T], tasks: list[T]) -> None:
        group.ready = {}
        for task in tasks:
            group.ready.setdefault("" if group.looking else self._account(task), deque()).append(task)

    def _begin_some(self, group: _Group[T]) -> float:
        """As many of a group as its limits allow; returns when the next may begin, where only its rate forbids it."""
        rate = 0.0 if group.looking else group.work.limits.per_second
        soonest = float("inf")
        for account, tasks in group.ready.items():
            while tasks and self._running < self._most and group.running < max(group.work.limits.parallel, 1):
                now = time.monotonic()
                at = self._last_begun.get(account, 0.0) + 1.0 / rate if rate > 0 else now
                if at > now:
                    soonest = min(soonest, at)
                    break
                if not group.looking:
                    # Kept to the beat: a turn that came late does not put off all that follow.
                    late = now - at
                    self._last_begun[account] = at if rate > 0 and late < 1.0 / rate else now
                self._hand_out(group, tasks.popleft())
        return soonest

    def _hand_out(self, group: _Group[T], task: T) -> None:
        group.running += 1
        self._running += 1
        action = self._look if group.looking and self._look is not None else self._act
        self._todo.put((group, task, action))
        if self._threads < self._running:
            # Daemons: a second Ctrl-C ends the process, and each operation's journal says where it stood.
            threading.Thread(target=self._work, name=f"fleet-{self._threads}", daemon=True).start()
            self._threads += 1

    def _work(self) -> None:
        while (item := self._todo.get()) is not None:
            group, task, action = item
            begun, error = time.monotonic(), None
            try:
                action(task)
            except BaseException as raised:  # noqa: BLE001 - the deciding thread says what it means
                error = raised
            self._done.put((group, task, error, time.monotonic() - begun))
            del item, group, task, action, error

    def _note(self, group: _Group[T], task: T, error: BaseException | None, seconds: float) -> None:
        """The end of a task, or of a look at one."""
        group.running -= 1
        self._running -= 1
        if error is not None and not isinstance(error, PymachineError):
            raise error  # a fault of ours: shown whole
        outcome = self._outcomes[id(task)]
        if group.looking and error is None:
            return
        outcome.error, outcome.skipped, outcome.seconds = error, "", outcome.seconds + seconds
        if error is not None:
            error.located(machine=task.machine)
            group.failures += 1
            if isinstance(error, Cancelled):
                group.stopped = group.stopped or "stopped before it was begun"
            elif group.strict:
                group.stopped = group.stopped or "a canary failed"
            elif group.failures > group.work.limits.max_failures:
                group.stopped = group.stopped or f"{group.failures} of the group {group.work.name} failed"
        self._ended(outcome)


def _stages(work: Work[T], *, looks: bool) -> Iterator[tuple[list[T], bool, bool]]:
    """What is made, all at once; then what is changed: the canaries, then batch after batch."""
    made = [task for task in work.tasks if not task.disturbs]
    if made:
        yield made, False, False
    changed = [task for task in work.tasks if task.disturbs]
    canary, batch = min(work.limits.canary, len(changed)), work.limits.batch
    between = looks and bool(canary or batch)
    if canary:
        yield changed[:canary], between, True
    rest = changed[canary:]
    size = batch or len(rest)
    for first in range(0, len(rest), max(size, 1)):
        yield rest[first : first + size], between, False
