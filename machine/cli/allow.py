"""``pymachine allow``: who reaches a machine, said anew."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from machine.cli.selecting import selector_options

if TYPE_CHECKING:
    from machine.operations.selection import Selector


@click.command()
@click.argument("names", metavar="NAME...", nargs=-1)
@selector_options
@click.option(
    "--cidr",
    "networks",
    multiple=True,
    metavar="NETWORK",
    help="Whom to let in: 203.0.113.7, 203.0.113.0/24; repeatable. [default: the address this computer has now]",
)
@click.pass_obj
def command(directory: str, selector: Selector, networks: tuple[str, ...]) -> int:
    """Let this computer reach machines whose firewall is the provider's, after it has moved.

    Who was let in before still is.
    """
    import ipaddress

    from machine.cli.several import run_on
    from machine.driver import Driver
    from machine.errors import UsageError
    from machine.model import Machine
    from machine.operations.allow import allow
    from machine.operations.operation import Settings
    from machine.store.store import Store

    for network in networks:
        try:
            ipaddress.ip_network(network)
        except ValueError as error:
            raise UsageError(f"{network!r} is not a network such as 203.0.113.0/24 ({error})") from error

    def action(store: Store, machine: Machine, driver: Driver, settings: Settings) -> Machine:
        allow(store, machine, driver, settings, networks=networks)
        return machine

    return run_on(directory, selector, "allow", action, lambda machine: f"{machine.name} lets you in.")
