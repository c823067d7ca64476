"""What commands share: the client, the machine that is meant, cancellation by signals."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

import click

from machine.deadline import Cancellation
from machine.errors import MachineNotFound
from machine.model import Machine
from machine.program import is_drop_in

if TYPE_CHECKING:
    from machine.api.client import Client
    from machine.api.opened import AskConsent
    from machine.bootstrap.session import EngineChange

DEFAULT_NAME = "default"
_one_question = threading.Lock()  # machines are worked on side by side; the terminal is one


def opened_client(directory: str) -> Client:
    """The client of this command line's store; a context manager."""
    from machine.api.client import Client

    return Client(directory, ask_passphrase=ask_passphrase, views=is_drop_in())


def meant(client: Client, name: str | None) -> Machine:
    """The machine of this name; without a name, the one called "default", as docker-machine has it."""
    if name is not None:
        return client.machine(name)
    try:
        return client.machine(DEFAULT_NAME)
    except MachineNotFound:
        raise MachineNotFound(
            'no machine name given, and there is no machine "default"', hint="see them all: pymachine ls"
        ) from None


def all_meant(client: Client, names: Iterable[str]) -> list[Machine]:
    """The machines of these names, each once however often and in whichever case it is named.

    Raises:
        MachineNotFound: of the last name that is unknown; the others have been told by then.
    """
    from machine.cli.failures import show_error

    machines, unknown = looked_up(client, names)
    for error in unknown[:-1]:
        show_error(error)
    if unknown:
        raise unknown[-1]
    return machines


def looked_up(client: Client, names: Iterable[str]) -> tuple[list[Machine], list[MachineNotFound]]:
    """The machines of these names, each once, and an error for each name that is unknown."""
    machines: dict[int, Machine] = {}
    unknown: list[MachineNotFound] = []
    for name in names:
        try:
            machine = client.machine(name)
            machines[machine.id] = machine
        except MachineNotFound as error:
            unknown.append(error)
    return list(machines.values()), unknown


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


def confirmed(question: str, *, default: bool) -> bool:
    """Ask on the terminal, where nothing is under way yet: there is no safe point to wait for, and Ctrl-C ends it."""
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return click.confirm(question, default=default)
    finally:
        signal.signal(signal.SIGINT, handler)


def consent_asker(yes: bool) -> AskConsent:
    """Show what a host's engine must change for, and ask on the terminal.

    Args:
        yes: it was said before that nobody need be asked.
    """
    from machine.cli.progress import paused

    def ask(machine: str, change: EngineChange) -> bool:
        with _one_question, paused():
            click.echo(f"({machine}) For this the engine on the host must be restarted, once:")
            for what, before, after in change.lines:
                click.echo(f"  {what}: {before or '(nothing)'} -> {after or '(nothing)'}")
            if change.containers:
                count = f"{change.containers} container{'s' if change.containers > 1 else ''}"
                click.echo(f"  {count} running there: stopped by the restart, unless its live-restore is on.")
            for text in change.warnings:
                click.echo(f"  Warning: {text}")
            if yes:
                return True
            return sys.stdin.isatty() and sys.stdout.isatty() and click.confirm("Go on?", default=False)

    return ask


def ask_passphrase(path: str) -> str | None:
    """Ask for the passphrase of a key on the terminal; None where there is none."""
    if not sys.stdin.isatty():
        return None
    from machine.cli.progress import paused

    with _one_question, paused():
        answer: str = click.prompt(f"Passphrase for {path}", hide_input=True, default="", show_default=False, err=True)
    return answer or None
