"""What machines are doing now: providers asked once for many, endpoints side by side, and nothing waits for ever."""

from __future__ import annotations

import dataclasses
import functools
import logging
import queue
import threading
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias, TypeVar

from machine.deadline import Deadline
from machine.driver import Driver
from machine.errors import EndpointUnverified, PymachineError, StoreError, UnknownDriver
from machine.model import Machine, Observation, Offering, State
from machine.operations.absent import AbsentDriver, driver_or_stand_in
from machine.operations.account import Account, account_of, sign_in
from machine.operations.endpoint import Health, ask_engine, ask_health
from machine.operations.pricing import Answers, Cost, Costs, Observed, ask_prices, cost_of
from machine.store.store import Store

_log = logging.getLogger(__name__)
K = TypeVar("K", bound=Hashable)
_Outcome: TypeAlias = "list[Observation] | Health | Answers | str"  # text: what went wrong
_Key: TypeAlias = "tuple[str, ...] | int"  # of a group: driver and account; of its prices; or a machine's id
_WORKERS = 256  # so many may be dead before the living have to wait
_SETTLED = (State.RUNNING, State.STOPPED, State.GONE, State.PREEMPTED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A machine as it was seen, or as it is recorded where nothing answered in time."""

    machine: Machine
    state: State
    recorded: bool = False  # nobody answered: the state is what was recorded, at machine.state_at
    engine: str | None = None
    trouble: str = ""  # one line
    asked: bool = True  # False: there is nobody to ask, or nobody was meant to be
    timed_out: bool = False  # the time was up before it was known
    driven: bool = True  # False: its driver is not installed, or cannot be imported
    seconds: float = 0.0  # until it was known
    offering: Offering | None = None  # what it is billed as; None: nobody says
    cost: Cost | None = None  # None: nobody was asked, or there is nobody who says prices

    @property
    def unanswered(self) -> bool:
        """Whether somebody was asked and the state is what was recorded all the same."""
        return self.asked and self.recorded


def recorded(machine: Machine, costs: Costs | None = None) -> Seen:
    """A machine as it is recorded; nobody is asked."""
    trouble, offering = machine.error or "", machine.instance.offering if machine.instance else None
    seen = Seen(machine=machine, state=machine.state, recorded=True, trouble=trouble, asked=False, offering=offering)
    return _priced(seen, costs, None) if costs else seen


def observe(
    store: Store,
    machines: Sequence[Machine],
    load: Callable[[str], Driver],
    *,
    timeout: float = 10.0,
    costs: Costs | None = None,
) -> list[Seen]:
    """Look at machines, within ``timeout`` seconds in all; what was seen is recorded.

    Args:
        costs: the prices that are noted: then those that are not are asked for as well, and noted.

    Raises:
        Nothing about a machine: what went wrong with it is in its ``trouble``.
    """
    begun, deadline = time.monotonic(), Deadline(timeout)
    groups: dict[tuple[str, str], list[Machine]] = {}  # by driver and account: one question for each
    accounts: dict[int, Account] = {}
    for machine in machines:
        if machine.instance is not None:
            account = accounts[machine.id] = account_of(store, machine)
            groups.setdefault((machine.spec.driver, account.key), []).append(machine)
    observed: dict[tuple[str, str], Observed] = {key: queue.SimpleQueue() for key in groups}
    jobs: dict[_Key, Callable[[], _Outcome]] = {
        key: functools.partial(_ask_provider, load, key[0], accounts[group[0].id], group, observed[key])
        for key, group in groups.items()
    }
    for machine in machines:
        if machine.instance is not None and machine.endpoint is not None and machine.endpoint.route != "plain":
            jobs[machine.id] = functools.partial(_ask_endpoint, store, machine, load, deadline)
    if costs is not None:  # last: nobody waits behind those that wait
        for key, group in groups.items():
            jobs[_prices_of(key)] = functools.partial(ask_prices, costs, observed[key], group, deadline)
    answers = _side_by_side(jobs, deadline)
    late = _Answer(f"no answer in {timeout:g} s", begun + timeout)
    interrupted = store.history.interrupted()
    places = {machine.id: (key, place) for key, group in groups.items() for place, machine in enumerate(group)}
    seen = []
    for machine in machines:
        if machine.id in interrupted:
            seen.append(_interrupted(machine, interrupted[machine.id]))
        elif machine.instance is None:
            seen.append(recorded(machine))
        else:
            key, place = places[machine.id]
            provider = answers.get(key, late)
            endpoint = answers.get(machine.id, late) if machine.id in jobs else None
            one = _combined(machine, provider.outcome, place, endpoint.outcome if endpoint else None)
            timed_out = provider is late or (endpoint is late and one.state is State.UNKNOWN)
            at = max(provider.at, endpoint.at if endpoint else begun)
            seen.append(dataclasses.replace(one, timed_out=timed_out, seconds=at - begun))
    _record(store, seen)
    if costs is None:
        return seen
    prices: dict[int, Answers] = {}
    for key, group in groups.items():
        said = answers.get(_prices_of(key), late).outcome
        found = said if isinstance(said, Answers) else Answers(trouble=str(said))
        costs.note(found.prices)
        prices.update((machine.id, found) for machine in group)
    return [_priced(each, costs, prices.get(each.machine.id)) for each in seen]


class _Undriven(list[Observation]):
    """What can be said without the driver, which is not installed."""


class _Broken(str):
    """Why a driver cannot be imported."""


@dataclass(frozen=True, slots=True)
class _Answer:
    outcome: _Outcome
    at: float


def _side_by_side(jobs: Mapping[K, Callable[[], _Outcome]], deadline: Deadline) -> dict[K, _Answer]:
    """What came of jobs before the time was up; nobody waits for the others, not even the end of the process.

    That is why these are threads of our own: Python joins those of an executor before it ends, and a name that does
    not resolve, or a provider's library, can take minutes.
    """
    todo: queue.SimpleQueue[tuple[K, Callable[[], _Outcome]]] = queue.SimpleQueue()
    for job in jobs.items():
        todo.put(job)
    answers: dict[K, _Answer] = {}
    changed = threading.Condition()

    def work() -> None:
        while not deadline.passed:
            try:
                key, job = todo.get_nowait()
            except queue.Empty:
                return
            try:
                outcome = job()
            except Exception as error:  # noqa: BLE001 - a driver that is broken takes no other's machines down
                _log.debug("asking %s", key, exc_info=True)
                outcome = f"{type(error).__name__}: {error}"
            with changed:
                if not deadline.passed:
                    answers[key] = _Answer(outcome, time.monotonic())
                    changed.notify()

    for _ in range(min(len(jobs), _WORKERS)):
        threading.Thread(target=work, daemon=True).start()
    with changed:
        changed.wait_for(lambda: len(answers) == len(jobs), timeout=deadline.remaining())
        return dict(answers)


def _prices_of(key: tuple[str, str]) -> tuple[str, str, str]:
    """The job that asks for the prices of a group."""
    return (*key, "prices")


def _priced(seen: Seen, costs: Costs, answers: Answers | None) -> Seen:
    return dataclasses.replace(seen, cost=cost_of(seen.machine, seen.state, seen.offering, costs, answers))


def _ask_provider(
    load: Callable[[str], Driver], name: str, account: Account, group: Sequence[Machine], observed: Observed
) -> _Outcome:
    """What a provider says of its machines; it goes to ``observed``, too, with who said it."""
    try:
        said = _ask(load, name, account, group, observed)
    finally:
        observed.put(None)
    return said


def _ask(
    load: Callable[[str], Driver], name: str, account: Account, group: Sequence[Machine], observed: Observed
) -> _Outcome:
    instances = [machine.instance for machine in group if machine.instance is not None]
    try:
        driver = load(name)
    except UnknownDriver:  # of another version, or a plugin that is gone: the host is all there is
        return _Undriven(AbsentDriver(name).observe(instances))
    except PymachineError as error:
        return _Broken(f"{error} ({error.cause})" if error.cause else str(error))
    try:
        said = sign_in(driver, account).observe(instances)
    except PymachineError as error:
        return str(error)
    if len(said) != len(group):
        return f"the driver {name} answered for {len(said)} of {len(group)} machines"
    observed.put((driver, said))
    return said


def _ask_endpoint(store: Store, machine: Machine, load: Callable[[str], Driver], deadline: Deadline) -> _Outcome:
    assert machine.instance is not None  # noqa: S101 - the caller chose these
    assert machine.endpoint is not None  # noqa: S101 - the caller chose these
    try:
        address, files = machine.instance.address, store.files(machine.name)
        if machine.endpoint.given:
            return ask_engine(address, machine.endpoint.port, files, deadline)
        if machine.endpoint.route == "direct":
            return ask_health(address, machine.endpoint.port, files, deadline)
        # Only who has a tunnel to dig pays for importing paramiko: it takes longer than most machines to answer.
        from machine.operations.operation import Settings
        from machine.operations.tunnel import tunnel

        settings = Settings(timeout=deadline.remaining())
        with tunnel(store, machine, driver_or_stand_in(machine.spec.driver), settings, local_port=0) as way:
            return ask_health(address, machine.port or 0, files, deadline, local_port=way.local_port)
    except EndpointUnverified as error:
        return f"{error} ({error.cause})" if error.cause else str(error)
    except (PymachineError, OSError) as error:
        return str(error)


def _interrupted(machine: Machine, kind: str) -> Seen:
    from machine.operations.operation import command_to_go_on  # see above

    trouble = f"{kind} was interrupted; go on: {command_to_go_on(kind, machine.name)}"
    offering = machine.instance.offering if machine.instance else None
    return Seen(machine=machine, state=State.ERROR, recorded=True, trouble=trouble, asked=False, offering=offering)


def _combined(machine: Machine, provider: _Outcome, place: int, health: _Outcome | None) -> Seen:
    """The provider's word on the state; where the host is all there is, the endpoint's."""
    driven = not isinstance(provider, _Undriven | _Broken)
    offering = machine.instance.offering if machine.instance else None
    if not isinstance(provider, list):
        said = str(provider)
        return Seen(machine=machine, state=machine.state, recorded=True, trouble=said, driven=driven, offering=offering)
    state, trouble = provider[place].state, provider[place].detail
    offering = provider[place].offering or offering
    if machine.state in (State.ERROR, State.CREATING) and state is State.RUNNING:
        # Its create has not ended well: an instance that runs is not yet a machine that can be used.
        said = machine.error or ""
        return Seen(machine=machine, state=machine.state, trouble=said, driven=driven, offering=offering)
    if machine.state is State.PREEMPTED and state is State.GONE:  # providers forget soon what they took away
        state, trouble = machine.state, machine.error or trouble
    engine = None
    if isinstance(health, Health):
        engine = health.engine_version
        if state is State.UNKNOWN:
            state = State.RUNNING
        if engine is None:
            trouble = trouble or f"the engine does not answer: {health.engine_trouble}"
    elif health is not None and state in (State.RUNNING, State.UNKNOWN):
        trouble = trouble or f"unreachable: {health}"
    return Seen(machine=machine, state=state, engine=engine, trouble=trouble, driven=driven, offering=offering)


def _record(store: Store, seen: Sequence[Seen]) -> None:
    """Remember what was seen, where that can be done at once."""
    if store.database.read_only:
        return
    new = []
    for each in seen:
        # An operation that is under way records its own states.
        fresh = time.time() - each.machine.state_at > 60.0 or each.state is not each.machine.state
        if not each.recorded and fresh and each.state in _SETTLED and each.machine.state is not State.CREATING:
            new.append((each.machine, each.state))
    if not new:
        return
    # What was taken away says why for as long as it is recorded.
    why = {each.machine.id: each.trouble for each in seen if each.state is State.PREEMPTED and each.trouble}
    try:
        store.machines.record_observed(*new, why=why)
    except StoreError as error:  # a full disk, or somebody who writes: what was seen can be shown all the same
        _log.debug("what was seen is not recorded: %s (%s)", error, error.cause)
