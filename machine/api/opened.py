"""A store that is opened for a program, and how its operations are done: what every part of the client is made of."""

from __future__ import annotations

import copy
import functools
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar, overload

from machine.api.choosing import Labels, Names, chosen, one
from machine.api.outcome import Outcome, Outcomes
from machine.deadline import Cancellation
from machine.errors import PymachineError, StoreError, UsageError
from machine.model import Event, Machine
from machine.store.location import is_ours_or_empty, store_directory
from machine.store.store import Store

if TYPE_CHECKING:
    from machine.bootstrap.session import EngineChange
    from machine.driver import Driver
    from machine.operations.operation import Settings

TIMEOUT = 900.0  # seconds

T = TypeVar("T")
Self = TypeVar("Self", bound="Opened")

OnEvent = Callable[[Event], None]
"""Called for every event, from the thread that works on the machine: of many machines, from many at once."""

AskConsent = Callable[[str, "EngineChange"], bool]
"""``ask(machine, change)``: whether the engine on a host may be changed so, which restarts it."""

AskPassphrase = Callable[[str], "str | None"]
"""``ask(path)``: the passphrase of a private key of the operator's; None: nobody knows."""


def _silent(_event: Event) -> None:
    pass


def _refuse(_machine: str, _change: EngineChange) -> bool:
    return False


def _never(_path: str) -> str | None:
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class How:
    """What all operations are done with."""

    on_event: OnEvent = _silent
    ask_consent: AskConsent = _refuse
    ask_passphrase: AskPassphrase = _never
    cancellation: Cancellation = field(default_factory=Cancellation)
    timeout: float | None = None
    parallel: int | None = None


class _Open:
    """The store, until somebody closes it: a client and those made of it by `using` share it."""

    def __init__(self, store: Store) -> None:
        self.store: Store | None = store


class Opened:
    """See `machine.Client`, which has the parts together."""

    def __init__(
        self,
        directory: str | os.PathLike[str] | None = None,
        *,
        on_event: OnEvent | None = None,
        timeout: float | None = None,
        parallel: int | None = None,
        ask_consent: AskConsent | None = None,
        ask_passphrase: AskPassphrase | None = None,
        cancellation: Cancellation | None = None,
        views: bool = False,
    ) -> None:
        place = store_directory(os.path.expanduser(directory) if directory is not None else None, os.environ)
        self._how = _changed(How(), on_event, timeout, parallel, ask_consent, ask_passphrase, cancellation)
        if not is_ours_or_empty(place):
            from machine.compat.foreign import refuse_docker_machines_own

            refuse_docker_machines_own(place)
        store = Store(place)
        # Other programs read in a store that stands in for docker-machine's: its name made it, or was used with it.
        if views or store.certs.exists("cert.pem"):
            store.on_change = functools.partial(_write_views, store)
        self._open = _Open(store)

    def using(
        self: Self,
        *,
        on_event: OnEvent | None = None,
        timeout: float | None = None,
        parallel: int | None = None,
        ask_consent: AskConsent | None = None,
        ask_passphrase: AskPassphrase | None = None,
        cancellation: Cancellation | None = None,
    ) -> Self:
        """The same client with something otherwise: ``client.using(timeout=60).stop("dev")``.

        The two share the store, and closing either closes it for both.

        Raises:
            UsageError: a value that cannot be meant.
        """
        other = copy.copy(self)
        other._how = _changed(self._how, on_event, timeout, parallel, ask_consent, ask_passphrase, cancellation)
        return other

    @property
    def directory(self) -> str:
        """Where the store is, absolute."""
        return self._store.directory

    @property
    def cancellation(self) -> Cancellation:
        """What stops everything that this client does: ``client.cancellation.cancel()``, from any thread."""
        return self._how.cancellation

    def close(self) -> None:
        """Give the store back. Closing twice is closing once."""
        store, self._open.store = self._open.store, None
        if store is not None:
            store.close()

    def __enter__(self: Self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    @overload
    def for_each(self, names: str | Machine, action: Callable[[Machine], T]) -> T: ...

    @overload
    def for_each(
        self,
        names: Names | None,
        action: Callable[[Machine], T],
        *,
        fleet: str | None = None,
        group: str | None = None,
        labels: Labels | None = None,
    ) -> Outcomes[T]: ...

    def for_each(
        self,
        names: str | Machine | Names | None,
        action: Callable[[Machine], T],
        *,
        fleet: str | None = None,
        group: str | None = None,
        labels: Labels | None = None,
    ) -> T | Outcomes[T]:
        """Do something of your own with each machine, side by side; one that fails does not stop the others.

        Args:
            action: called with the machine, from many threads.

        Raises:
            PymachineError: of one machine, its error; of many, what is wrong with the choice: then nothing was done.
        """
        return self._each(names, action, fleet, group, labels)

    def _each(
        self,
        names: str | Machine | Names | None,
        action: Callable[[Machine], T],
        fleet: str | None,
        group: str | None,
        labels: Labels | None,
    ) -> T | Outcomes[T]:
        machines = self._meant(names, fleet, group, labels)
        if not isinstance(names, str | Machine):
            from machine.operations.many import for_each

            anew = functools.partial(one, self._store)
            return outcomes_of(for_each(machines, lambda each: action(anew(each)), workers=self._workers))
        try:
            return action(machines[0])
        except PymachineError as error:
            error.located(machine=machines[0].name)
            raise

    def _meant(
        self, names: str | Machine | Names | None, fleet: str | None, group: str | None, labels: Labels | None
    ) -> list[Machine]:
        """One machine, or many by a choice."""
        if not isinstance(names, str | Machine):
            return chosen(self._store, names, fleet, group, labels, as_they_are=True)
        if fleet or group or labels:
            raise UsageError("one machine was said, and a choice of many", hint=f"in a list: [{names!r}]")
        return [one(self._store, names)]

    @property
    def _store(self) -> Store:
        if self._open.store is None:
            raise StoreError("this client is closed", hint="open another one: machine.Client()")
        return self._open.store

    @property
    def _workers(self) -> int:
        """How many machines are worked on at once."""
        from machine.operations.many import WORKERS

        return self._how.parallel or WORKERS

    def _settings(self, *, timeout: float = TIMEOUT) -> Settings:
        """What an operation is given.

        Args:
            timeout: where the caller has said none.
        """
        from machine.operations.operation import Settings

        how = self._how
        return Settings(
            emit=how.on_event,
            ask_passphrase=how.ask_passphrase,
            ask_consent=how.ask_consent,
            cancellation=how.cancellation,
            timeout=timeout if how.timeout is None else how.timeout,
        )

    def driver(self, name: str | Machine) -> Driver:
        """A machine's driver, signed in to its account; one that is not installed has a stand-in that refuses.

        Raises:
            MachineNotFound: there is none of this name.
            PreCheckFailed: it is installed and cannot be imported.
        """
        return self._driver_of(one(self._store, name))

    def _driver_of(self, machine: Machine) -> Driver:
        from machine.operations.absent import driver_of

        return driver_of(self._store, machine)


def outcomes_of(done: list[tuple[Machine, T | PymachineError]]) -> Outcomes[T]:
    """What the operations say of many machines, as callers get it."""
    return Outcomes(
        Outcome(machine.name, error=came) if isinstance(came, PymachineError) else Outcome(machine.name, value=came)
        for machine, came in done
    )


def _changed(
    how: How,
    on_event: OnEvent | None,
    timeout: float | None,
    parallel: int | None,
    ask_consent: AskConsent | None,
    ask_passphrase: AskPassphrase | None,
    cancellation: Cancellation | None,
) -> How:
    if timeout is not None and not (isinstance(timeout, int | float) and timeout > 0):
        raise UsageError(f"timeout={timeout!r} is no time to work in", hint="seconds, more than 0")
    if parallel is not None and not (isinstance(parallel, int) and parallel > 0):
        raise UsageError(f"parallel={parallel!r} is nobody to work", hint="at least 1")
    return How(
        on_event=on_event or how.on_event,
        ask_consent=ask_consent or how.ask_consent,
        ask_passphrase=ask_passphrase or how.ask_passphrase,
        cancellation=cancellation or how.cancellation,
        timeout=how.timeout if timeout is None else timeout,
        parallel=how.parallel if parallel is None else parallel,
    )


def _write_views(store: Store, name: str) -> None:
    from machine.compat.views import write_views

    write_views(store, name)
