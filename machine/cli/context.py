"""What commands share: the store, the machine that is meant, cancellation by signals."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Iterable, Iterator

import click

from machine.deadline import Cancellation
from machine.errors import MachineNotFound
from machine.model import Machine
from machine.store.store import Store

DEFAULT_NAME = "default"


@contextlib.contextmanager
def opened_store(directory: str) -> Iterator[Store]:
    """The store of this command line."""
    store = Store(directory)
    try:
        yield store
    finally:
        store.close()


def meant(store: Store, name: str | None) -> Machine:
    """The machine of this name; without a name, the one called "default", as docker-machine has it."""
    if name is not None:
        return store.machines.get(name)
    found = store.machines.find(DEFAULT_NAME)
    if found is None:
        raise MachineNotFound(
            'no machine name given, and there is no machine "default"', hint="see them all: pymachine ls"
        )
    return found


def all_meant(store: Store, names: Iterable[str]) -> list[Machine]:
    """The machines of these names, each once however often and in whichever case it is named."""
    return list({machine.id: machine for machine in map(store.machines.get, names)}.values())


@contextlib.contextmanager
def cancelled_by_signals() -> Iterator[Cancellation]:
    """The first Ctrl-C (or SIGTERM) stops between steps; the second one at once."""
    cancellation = Cancellation()

    def on_signal(number: int, _frame: object) -> None:
        if number == signal.SIGINT:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            click.echo("\nStopping at the next safe point. Ctrl-C again stops at once.", err=True)
        cancellation.cancel()

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield cancellation
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def ask_passphrase(path: str) -> str | None:
    """Ask for the passphrase of a key on the terminal; None where there is none."""
    if not sys.stdin.isatty():
        return None
    answer: str = click.prompt(f"Passphrase for {path}", hide_input=True, default="", show_default=False, err=True)
    return answer or None
