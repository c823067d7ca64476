"""``pymachine drivers [ls]`` and ``pymachine drivers check``: who can make hosts, and whether it would work."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Any

import click

from machine.cli.create import CreateCommand

if TYPE_CHECKING:
    from machine.driver import Driver

_HEADERS = ("DRIVER", "LOCAL", "CAN", "WHAT IT MAKES")


@click.group(invoke_without_command=True)
@click.option("-o", "--output", type=click.Choice(["table", "json"]), default="table", show_default=True)
@click.pass_context
def command(ctx: click.Context, output: str) -> int | None:
    """List the drivers that are installed, or check one.

    \b
      pymachine drivers check aws     who would pay, what would be made, and what is missing
    """
    return _list(output) if ctx.invoked_subcommand is None else None


@command.command()
@click.option("-o", "--output", type=click.Choice(["table", "json"]), default="table", show_default=True)
def ls(output: str) -> int:
    """List the drivers that are installed."""
    return _list(output)


class CheckCommand(CreateCommand):
    """The driver is the first word; its options are flags, as those of create are."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As for create, where the driver is a flag."""
        return super().parse_args(ctx, ["--driver", *args] if args and not args[0].startswith("-") else args)


@command.command(cls=CheckCommand, options_metavar="[NAME] [OPTIONS]")
@click.option("-d", "--driver", "driver_name", hidden=True)
@click.pass_context
def check(ctx: click.Context, /, driver_name: str | None, **options: Any) -> int:
    """Say what a machine of this driver would be and as whom it would be made, and what is missing for that.

    Nothing is made. Without a name it is the driver that `create` would choose; its options follow, as for create.
    Exit code 3: something is missing.
    """
    from machine.api.drivers import check as explained
    from machine.api.drivers import choose
    from machine.cli.explained import show
    from machine.cli.oldflags import from_old_flags
    from machine.driver import declared_options

    choice = choose(ctx.obj, driver_name)
    driver = choice.driver
    if choice.note:
        click.echo(choice.note)
    click.echo(f"{driver.name}: {driver.summary}")
    own = {item.name for item in declared_options(driver)}
    given = {key: value for key, value in options.items() if key in own and value is not None}
    return show(explained(ctx.obj, driver, given | from_old_flags(driver, options)))


def _list(output: str) -> int:
    from machine.api.client import Client
    from machine.cli.failures import show_error
    from machine.shell.listing import table

    drivers, errors = Client.drivers()
    code = max([show_error(error) for error in errors], default=0)
    if output == "json":
        click.echo(json.dumps([_as_json(each) for each in drivers], indent=2))
        return code
    rows: list[tuple[str, ...]] = [
        (each.name, "yes" if each.capabilities.local_rank is not None else "-", ", ".join(_can(each)), each.summary)
        for each in drivers
    ]
    click.echo(table(_HEADERS, rows), nl=False)
    return code


def _can(driver: Driver) -> list[str]:
    """What it can do, in the words of the commands that do it."""
    its = driver.capabilities
    can = {
        "create": its.creates,
        "start": its.stop,
        "stop": its.stop,
        "restart": its.restart or its.restarts_itself,
        "ssh": its.host,
    }
    return [word for word, able in can.items() if able]


def _as_json(driver: Driver) -> dict[str, Any]:
    local = driver.capabilities.local_rank is not None
    return {
        "name": driver.name,
        "summary": driver.summary,
        "local": local,
        "can": _can(driver),
        "capabilities": dataclasses.asdict(driver.capabilities),
    }
