"""Flags that choose machines, wherever a command takes their names."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from machine.api.choosing import Selector
    from machine.api.client import Client
    from machine.model import Machine


def selector_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the flags to a command; it gets a ``selector`` in place of its ``names``."""

    @click.option("--fleet", metavar="NAME", help="All machines of a fleet.")
    @click.option("--group", metavar="NAME", help="All machines of a fleet's group.")
    @click.option(
        "--label", "labels", multiple=True, metavar="NAME[=VALUE]", help="All machines with this label; repeatable."
    )
    @functools.wraps(function)
    def command(
        *arguments: Any,
        names: tuple[str, ...],
        fleet: str | None,
        group: str | None,
        labels: tuple[str, ...],
        **others: Any,
    ) -> Any:
        from machine.api.choosing import Selector, parse_labels

        selector = Selector(names=names, fleet=fleet, group=group, labels=parse_labels(labels))
        return function(*arguments, selector=selector, **others)

    return command


def selected(client: Client, selector: Selector, *, default: bool = True) -> list[Machine]:
    """The machines that are meant; which those are is said where they were not named one by one.

    Args:
        default: where nothing was said, the machine "default" is meant.

    Raises:
        MachineNotFound: none is.
    """
    from machine.cli.context import all_meant, meant

    if selector.by_name:
        return all_meant(client, selector.names)
    if default and not selector.says_something:
        return [meant(client, None)]
    names = list(selector.names) or None
    machines = client.machines(names, fleet=selector.fleet, group=selector.group, labels=selector.labels)
    many = "s" if len(machines) != 1 else ""
    click.echo(f"{len(machines)} machine{many}: {', '.join(each.name for each in machines)}", err=True)
    return machines
