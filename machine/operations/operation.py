"""An operation in the making: steps that are journalled before and after they act, and a connection they share."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from machine.deadline import Cancellation, Deadline
from machine.errors import Cancelled, OperationInProgress, PymachineError, StoreError
from machine.model import Event, State
from machine.operations.consent import AskConsent, refuse
from machine.operations.log import log_file, redacted, say
from machine.ssh.credentials import AskPassphrase, never_ask
from machine.store.files import Files
from machine.store.lease import Entry
from machine.store.store import Store

_log = logging.getLogger(__name__)
BAKES = "bake-"  # the beginning of the names of machines that images are made of
KEPT = "kept-"  # the beginning of the names of what drivers `keep`
_FENCE_SECONDS = 0.2  # a read of the store costs 50 µs, and waits ask every 10 ms

Emit = Callable[[Event], None]


def silent(_event: Event) -> None:
    """For callers who want no events."""


def command_to_go_on(kind: str, machine: str) -> str:
    """What to type to go on with an operation of this kind that was not finished."""
    if kind == "bake":
        return f"pymachine bake {machine.removeprefix(BAKES)}"
    return f"pymachine {'rm' if kind == 'remove' else kind} {machine}"


@dataclass(slots=True, kw_only=True)
class Settings:
    """What every operation takes from its caller."""

    emit: Emit = silent
    ask_passphrase: AskPassphrase = never_ask
    ask_consent: AskConsent = refuse  # to change how an engine that is there is configured
    cancellation: Cancellation = field(default_factory=Cancellation)
    timeout: float = 900.0  # seconds for the whole operation


@dataclass(slots=True)
class Step:
    """A step while it runs; what it learns goes into ``result`` and is journalled with its end."""

    operation: Operation
    name: str
    acts: bool = True  # what it records is on disk before it goes on
    begun: float = field(default_factory=time.monotonic)
    result: dict[str, Any] = field(default_factory=dict)
    summary: str = ""  # one line for people, shown when it is done
    spoke: bool = False

    def progress(self, text: str) -> None:
        """Say what is going on."""
        self.operation.report(self, "progress", text)

    def warn(self, text: str) -> None:
        """Say what the operator should know and need not stop for."""
        self.operation.report(self, "warning", text)

    # What a driver sees of a step: `machine.driver.Recorder`.
    def resource(self, kind: str, id: str, **data: Any) -> None:
        """Remember a resource of the provider before or as it appears."""
        journal, entry = self.operation.store.journal, self.operation.entry
        journal.record_resource(entry, id, {"kind": kind, **data}, at_once=self.acts)

    def check(self, waiting_for: str = "") -> None:
        """Raise when it is time to stop, or when another process has taken the operation over."""
        self.operation.check(waiting_for or f"the step {self.name}")

    def recall(self) -> dict[str, Any]:
        """What was last recorded of the machine's resources, in whichever attempt."""
        journal = self.operation.store.journal
        journal.catch_up(self.operation.entry)
        recorded = journal.recorded_data(self.operation.entry)
        return {key: value for key, value in recorded.items() if key != "kind"}  # as `resource` was given it

    def keep(self, name: str, make: Callable[[], bytes]) -> bytes:
        """Bytes that a repeated create must have again, from a file of the machine that only its owner can read."""
        file, files = KEPT + name, self.operation.files
        content = files.read(file)
        if content is None:
            content = make()
            files.write(file, content)
        return content


class Operation:
    """One journalled change of one machine.

    Used as a context manager around its steps: an error closes it as failed, with the error located at its step.
    """

    def __init__(self, store: Store, entry: Entry, machine: str, kind: str, settings: Settings) -> None:
        self.store = store
        self.entry = entry
        self.machine = machine
        self.kind = kind
        self.settings = settings
        # Its own, below the caller's: one operation of many can be cancelled alone.
        self.deadline = Deadline(settings.timeout, cancellation=settings.cancellation.child())
        self._current: Step | None = None
        self._fence_checked = 0.0
        self._exit = contextlib.ExitStack()  # what the steps share, as the connection: closed with the operation
        self._finished = False
        self._taking_told = False
        self._log = contextlib.ExitStack()
        self.log_path = ""

    @contextlib.contextmanager
    def step(self, name: str, *, acts: bool = True) -> Iterator[Step]:
        """Run the body as a step: journalled as begun, then as done or failed.

        Args:
            acts: it changes something at a provider or on a host: its begin, and each resource that it records, is on
                disk before it does. Else they go with the next write.
        """
        self.deadline.check(f"the step {name}")
        step = self._current = Step(self, name, acts)
        self.store.journal.step(self.entry, name, "begun", self._event(step, "begun", ""), at_once=acts)
        self._emit(self._event(step, "begun", ""))
        if self.entry.taken_from and not self._taking_told:
            self._taking_told = True
            step.warn(f"taken over from {self.entry.taken_from}")
        yield step  # an error leaves by __exit__, which knows the step
        event = self._event(step, "done", step.summary)
        self.store.journal.step(self.entry, name, "done", event, step.result, at_once=False)
        self._emit(event)
        self._current = None

    def check(self, waiting_for: str) -> None:
        """Raise when it is time to stop; what acts on a provider or a host calls this before every effect."""
        self.deadline.check(waiting_for)
        now = time.time()  # the monotonic clock stands still while a laptop sleeps
        if abs(now - self._fence_checked) > _FENCE_SECONDS:
            self.fence()
            self._fence_checked = now

    def fence(self) -> None:
        """Raise when another process has taken the operation over: before every effect that cannot be undone."""
        self.store.journal.check_fence(self.entry)

    def drop_kept(self) -> None:
        """What a driver kept to repeat its create is not needed any more."""
        for name in self.files.names():
            if name.startswith(KEPT):
                self.files.remove(name)

    @property
    def files(self) -> Files:
        """The machine's files, as long as the operation is ours."""
        return self.store.fenced_files(self.machine, self.entry)

    def report(self, step: Step, status: str, text: str) -> None:
        """An event of a running step: shown, and kept in the machine's timeline."""
        event = self._event(step, status, text)
        self._emit(event)
        # The first word is on disk before more is done: `rm` takes from it that the step has come as far as the host.
        self.store.journal.event(self.entry, event, at_once=not step.spoke)
        step.spoke = True

    def share(self, resource: contextlib.AbstractContextManager[Any]) -> Any:
        """Enter something that lives as long as the operation."""
        return self._exit.enter_context(resource)

    def finish(self, state: State | None) -> None:
        """Close the operation as done; the machine is now in this state."""
        self.store.journal.finish(self.entry, state=state)
        self._finished = True

    def finish_removed(self) -> None:
        """Close a remove as done: the machine's record goes."""
        self.store.journal.finish_removed(self.entry)
        self._finished = True

    def __enter__(self) -> Operation:
        name = f"{self.machine}-{self.kind}-{self.entry.id}.log"
        self.log_path = self._log.enter_context(log_file(self.store.logs, name, self))
        _log.info("%s %s, token %s, epoch %s", self.kind, self.machine, self.entry.token, self.entry.epoch)
        self.store.heartbeats.keep(self.entry, self._stop)
        for files in (self.store.certs, self.store.files(self.machine)):
            files.sweep()
        return self

    def _stop(self, reason: PymachineError) -> None:
        """From the heartbeat's thread: taken over, or asked to cancel."""
        self.deadline.cancellation.cancel(reason)

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        with self._log:
            self._exit.close()
            self.store.heartbeats.release(self.entry)
            try:
                if error is None or self._finished:
                    return
                meant = self._meant(error)
                self._fail(meant)
                if meant is not error:
                    raise meant from error
            finally:
                self.store.journal.let_go(self.entry)
                self._tell()

    def _tell(self) -> None:
        """Whoever shows this machine to other programs hears that it is another now."""
        try:
            self.store.on_change(self.machine)
        except PymachineError:
            _log.exception("what other programs read of %s is out of date", self.machine)

    def _meant(self, error: BaseException) -> BaseException:
        """What there is to be told: whatever goes wrong after another process has taken over comes of that."""
        if isinstance(error, KeyboardInterrupt):
            return Cancelled("stopped at once")
        if isinstance(error, Exception) and not isinstance(error, OperationInProgress):
            try:
                self.fence()
            except OperationInProgress as lost:
                return lost
            except StoreError:
                pass  # the error that is there already says more
        return error

    def _fail(self, error: BaseException) -> None:
        """Say where it happened and what to do next, and record it."""
        _log.error("failed", exc_info=error)
        step = self._current.name if self._current else None
        if isinstance(error, PymachineError):
            error.located(machine=self.machine, step=step)
            error.log = error.log or self.log_path
        if isinstance(error, OperationInProgress):
            return  # it is another's now
        if isinstance(error, PymachineError) and (self.kind in ("create", "bake", "remove") or error.hint is None):
            go_on = f"to go on: {command_to_go_on(self.kind, self.machine)}"
            if self.kind in ("create", "bake"):
                go_on += f"; to clean up: pymachine rm {self.machine}"
            error.hint = f"{error.hint}\n         {go_on}" if error.hint else go_on
        text = redacted(str(error) or type(error).__name__)
        event = self._event(self._current, "failed", text) if self._current is not None else None
        # The error itself must reach the operator, also when the store's disk is full.
        with contextlib.suppress(PymachineError):
            if self._current is not None and event is not None:
                self.store.journal.step(self.entry, self._current.name, "failed", event, at_once=False)
            state = State.ERROR if self.kind == "create" else None
            self.store.journal.finish(self.entry, state=state, error=f"{step or self.kind}: {text}")
        if event is not None:  # last: what listens is a program's own, and may be what fails
            self._emit(event)

    def _emit(self, event: Event) -> None:
        say(self, __name__, f"{event.step} {event.status} ({event.elapsed:.3f} s) {event.text}")
        self.settings.emit(event)

    def _event(self, step: Step, status: str, text: str) -> Event:
        return Event(
            machine=self.machine,
            operation=self.kind,
            step=step.name,
            status=status,
            text=redacted(text),
            elapsed=time.monotonic() - step.begun,
            at=time.time(),
        )
