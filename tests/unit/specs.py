"""Specs and machines as tests want them."""

from __future__ import annotations

from typing import Any

from machine.model import Access, Endpoint, Instance, Machine, Spec, State
from machine.store.store import Store


def spec(name: str = "web", **changes: Any) -> Spec:
    """What is wanted of a machine of the driver generic."""
    return Spec(**{"name": name, "driver": "generic", "options": {"ip_address": "192.0.2.7"}, **changes})


def add_machine(
    store: Store,
    name: str = "web",
    *,
    address: str = "192.0.2.7",
    url: str | None = "tcp://192.0.2.7:2376",
    state: State = State.RUNNING,
    **wanted: Any,
) -> Machine:
    """Record a machine whose create has ended; ``url`` None: as it is before its converge."""
    entry = store.journal.begin_create(spec(name, **wanted))
    access = Access(host=address, host_keys=("ssh-ed25519 AAAA",))
    store.journal.record_instance(entry, Instance(driver="generic", id=address, access=access))
    if url is not None:
        endpoint = Endpoint(url=url)
        store.journal.record_converged(entry, port=endpoint.port, engine="docker 20.10.24", facts={"os": "Debian 12"})
        store.journal.record_endpoint(entry, endpoint)
    store.journal.finish(entry, state=state)
    return store.machines.get(name)
