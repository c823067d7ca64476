"""A command on several machines at once: events drawn together, each failure shown, one exit code."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from machine.compat.words import VERBS, Verb
from machine.errors import Cancelled
from machine.model import Machine
from machine.program import is_drop_in

if TYPE_CHECKING:
    from machine.api.choosing import Selector
    from machine.api.client import Client

Action = Callable[["Client", Machine], object]


def run_on(
    directory: str,
    selector: Selector,
    verb: str,
    action: Action,
    done: Callable[[Machine], str],
    *,
    yes: bool = False,
) -> int:
    """Do something with the machines named, side by side.

    Args:
        verb: the command's name, for docker-machine's words under that name.
        selector: nothing said means the machine "default"; an unknown name, and nothing is done to any.
        action: a method of the client.
        done: one line about a machine, as it is then, when it has succeeded.
        yes: agree to whatever a host's engine must be changed and restarted for.

    Returns:
        The exit code: 0, or the worst of the errors'.
    """
    from machine.cli.context import cancelled_by_signals, consent_asker, opened_client
    from machine.cli.failures import show_error
    from machine.cli.progress import shown
    from machine.cli.selecting import selected

    words = VERBS.get(verb) if is_drop_in() else None
    if words is not None:
        action = _as_docker_machine(action, words)
    with opened_client(directory) as opened:
        machines = selected(opened, selector)
        with cancelled_by_signals() as cancellation, shown(several=len(machines) > 1) as emit:
            client = opened.using(on_event=emit, ask_consent=consent_asker(yes), cancellation=cancellation)

            def one(machine: Machine) -> Machine:
                action(client, machine)
                return client.machine(machine)

            outcomes = client.for_each(machines, one)
    code = 0
    for outcome in outcomes:
        if isinstance(outcome.error, Cancelled) and len(outcomes) == 1:
            raise outcome.error
        if outcome.error is not None:
            code = max(code, show_error(outcome.error))
        elif line := words.done.format(outcome.machine) if words is not None else done(outcome.result):
            click.echo(line)
    if words is not None and words.afterwards and code == 0:
        click.echo(words.afterwards)
    return code


def _as_docker_machine(action: Action, words: Verb) -> Action:
    """The same action as docker-machine does it: announced, and refused where there is nothing to do."""
    from machine.errors import UsageError

    def announced(client: Client, machine: Machine) -> object:
        click.echo(words.begins.format(machine.name))
        if words.already and str(client.status(machine).state) == words.already:
            raise UsageError(f'Machine "{machine.name}" is already {words.already.lower()}.', machine=machine.name)
        return action(client, machine)

    return announced
