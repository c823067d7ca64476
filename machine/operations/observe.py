"""What machines are doing now: providers asked once for many, endpoints side by side, and nothing waits for ever."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any

from machine.deadline import Deadline
from machine.driver import Driver
from machine.errors import EndpointUnverified, PymachineError
from machine.model import Machine, Observation, State
from machine.operations.endpoint import Health, ask_engine, ask_health
from machine.operations.operation import Settings, command_to_go_on
from machine.operations.tunnel import tunnel
from machine.store.store import Store

_WORKERS = 32
_SETTLED = (State.RUNNING, State.STOPPED, State.GONE, State.PREEMPTED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A machine as it was seen, or as it is recorded where nothing answered in time."""

    machine: Machine
    state: State
    recorded: bool = False  # nobody answered: the state is what was recorded, at machine.state_at
    engine: str | None = None
    trouble: str = ""  # one line


def observe(
    store: Store, machines: Sequence[Machine], load: Callable[[str], Driver], *, timeout: float = 10.0
) -> list[Seen]:
    """Look at machines, within ``timeout`` seconds in all; what was seen is recorded.

    Raises:
        Nothing about a machine: what went wrong with it is in its ``trouble``.
    """
    deadline = Deadline(timeout)
    pool = ThreadPoolExecutor(max_workers=_WORKERS)
    try:
        by_driver: dict[str, list[Machine]] = {}
        for machine in machines:
            if machine.instance is not None:
                by_driver.setdefault(machine.spec.driver, []).append(machine)
        providers = {name: pool.submit(_ask_provider, load, name, group) for name, group in by_driver.items()}
        endpoints = {
            machine.id: pool.submit(_ask_endpoint, store, machine, load, deadline)
            for machine in machines
            if machine.instance is not None and machine.endpoint is not None and machine.endpoint.route != "plain"
        }
        pending: list[Future[Any]] = [*providers.values(), *endpoints.values()]
        wait(pending, timeout=deadline.remaining())
        answers: dict[int, Observation | str] = {}
        for name, group in by_driver.items():
            done = providers[name].done()
            said = providers[name].result() if done else f"the provider did not answer in {timeout:g} s"
            for number, machine in enumerate(group):
                answers[machine.id] = said if isinstance(said, str) else said[number]
        seen = []
        interrupted = store.history.interrupted()
        for machine in machines:
            if machine.id in interrupted:
                seen.append(_interrupted(machine, interrupted[machine.id]))
                continue
            future = endpoints.get(machine.id)
            health = future.result() if future is not None and future.done() else None
            if future is not None and not future.done():
                health = f"the endpoint did not answer in {timeout:g} s"
            seen.append(_combined(machine, answers.get(machine.id), health))
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
    _record(store, seen)
    return seen


def _ask_provider(load: Callable[[str], Driver], name: str, group: Sequence[Machine]) -> list[Observation] | str:
    try:
        return load(name).observe([machine.instance for machine in group if machine.instance is not None])
    except PymachineError as error:
        return str(error)


def _ask_endpoint(store: Store, machine: Machine, load: Callable[[str], Driver], deadline: Deadline) -> Health | str:
    assert machine.instance is not None  # noqa: S101 - the caller chose these
    assert machine.endpoint is not None  # noqa: S101 - the caller chose these
    try:
        address, files = machine.instance.address, store.files(machine.name)
        if machine.endpoint.given:
            return ask_engine(address, machine.endpoint.port, files, deadline)
        if machine.endpoint.route == "direct":
            return ask_health(address, machine.endpoint.port, files, deadline)
        with tunnel(
            store, machine, load(machine.spec.driver), Settings(timeout=deadline.remaining()), local_port=0
        ) as way:
            return ask_health(address, machine.port or 0, files, deadline, local_port=way.local_port)
    except EndpointUnverified as error:
        return f"{error} ({error.cause})" if error.cause else str(error)
    except (PymachineError, OSError) as error:
        return str(error)


def _interrupted(machine: Machine, kind: str) -> Seen:
    trouble = f"{kind} was interrupted; go on: {command_to_go_on(kind, machine.name)}"
    return Seen(machine=machine, state=State.ERROR, recorded=True, trouble=trouble)


def _combined(machine: Machine, provider: Observation | str | None, health: Health | str | None) -> Seen:
    """The provider's word on the state; where the host is all there is, the endpoint's."""
    if provider is None:  # no instance yet: the record is all there is
        return Seen(machine=machine, state=machine.state, recorded=True, trouble=machine.error or "")
    if isinstance(provider, str):
        return Seen(machine=machine, state=machine.state, recorded=True, trouble=provider)
    state, trouble = provider.state, provider.detail
    if machine.state in (State.ERROR, State.CREATING) and state is State.RUNNING:
        # Its create has not ended well: an instance that runs is not yet a machine that can be used.
        return Seen(machine=machine, state=machine.state, trouble=machine.error or "")
    engine = None
    if isinstance(health, Health):
        engine = health.engine_version
        if state is State.UNKNOWN:
            state = State.RUNNING
        if engine is None:
            trouble = trouble or f"the engine does not answer: {health.engine_trouble}"
    elif health is not None and state in (State.RUNNING, State.UNKNOWN):
        trouble = trouble or f"unreachable: {health}"
    return Seen(machine=machine, state=state, engine=engine, trouble=trouble)


def _record(store: Store, seen: Sequence[Seen]) -> None:
    if store.database.read_only:
        return
    for each in seen:
        # An operation that is under way records its own states.
        fresh = time.time() - each.machine.state_at > 60.0 or each.state is not each.machine.state
        if not each.recorded and fresh and each.state in _SETTLED and each.machine.state is not State.CREATING:
            store.machines.record_observed(each.machine, each.state)
