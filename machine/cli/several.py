"""A command on several machines at once: events drawn together, each failure shown, one exit code."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import click

from machine.compat.words import VERBS, Verb
from machine.errors import Cancelled, PymachineError
from machine.model import Machine
from machine.program import is_drop_in

if TYPE_CHECKING:
    from machine.driver import Driver
    from machine.operations.operation import Settings
    from machine.operations.selection import Selector
    from machine.store.store import Store

Action = Callable[["Store", Machine, "Driver", "Settings"], Machine]


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
        action: from `machine.operations`.
        done: one line about a machine when it has succeeded.
        yes: agree to whatever a host's engine must be changed and restarted for.

    Returns:
        The exit code: 0, or the worst of the errors'.
    """
    from machine.cli.context import ask_passphrase, cancelled_by_signals, consent_asker, opened_store
    from machine.cli.failures import show_error
    from machine.cli.progress import shown
    from machine.cli.selecting import selected
    from machine.operations.absent import driver_of
    from machine.operations.many import for_each
    from machine.operations.operation import Settings

    words = VERBS.get(verb) if is_drop_in() else None
    with opened_store(directory) as store:
        machines = selected(store, selector)
        if words is not None:
            action = _as_docker_machine(action, words)
        with cancelled_by_signals() as cancellation, shown(several=len(machines) > 1) as emit:
            settings = Settings(
                emit=emit,
                ask_passphrase=ask_passphrase,
                ask_consent=consent_asker(yes),
                cancellation=cancellation,
            )
            outcomes = for_each(machines, lambda machine: action(store, machine, driver_of(store, machine), settings))
    code = 0
    for _, outcome in outcomes:
        if isinstance(outcome, Cancelled) and len(outcomes) == 1:
            raise outcome
        if isinstance(outcome, PymachineError):
            code = max(code, show_error(outcome))
        elif line := words.done.format(outcome.name) if words is not None else done(outcome):
            click.echo(line)
    if words is not None and words.afterwards and code == 0:
        click.echo(words.afterwards)
    return code


def _as_docker_machine(action: Action, words: Verb) -> Action:
    """The same action as docker-machine does it: announced, and refused where there is nothing to do."""
    from machine.driver import load_driver
    from machine.errors import UsageError
    from machine.operations.observe import observe

    def announced(store: Store, machine: Machine, driver: Driver, settings: Settings) -> Machine:
        click.echo(words.begins.format(machine.name))
        if words.already and str(observe(store, [machine], load_driver)[0].state) == words.already:
            raise UsageError(f'Machine "{machine.name}" is already {words.already.lower()}.', machine=machine.name)
        return action(store, machine, driver, settings)

    return announced
