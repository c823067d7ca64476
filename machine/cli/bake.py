"""``pymachine bake``: images with engine and agent inside, made, listed and removed."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Any

import click

from machine.cli.create import CreateCommand, only_the_name
from machine.cli.engineflags import engine_source_flags
from machine.errors import UsageError

if TYPE_CHECKING:
    from machine.api.client import Client
    from machine.api.images import Images, Plan

_DEFAULT_NAME = "default"
_TIMEOUT = 1800  # seconds; `machine.api.images` has it, and is imported when it is used
_HEADERS = ("NAME", "DRIVER", "ID", "AGE", "WHERE")


@click.command(cls=CreateCommand)
@click.argument("names", metavar="[NAME | ls | rm NAME]", nargs=-1)
@click.option("-d", "--driver", "driver_name", metavar="DRIVER", help="Who makes the host. [env: MACHINE_DRIVER]")
@click.option(
    "--timeout",
    type=click.FloatRange(min=1),
    metavar="SECONDS",
    help=f"For each of its three parts. [default: {_TIMEOUT}]",
)
@click.option("-o", "--output", type=click.Choice(["table", "json"]), default="table", help="Of ls. [default: table]")
@click.option("-y", "--yes", is_flag=True, help="Do not ask before rm.")
@engine_source_flags
@click.pass_context
def command(
    ctx: click.Context,
    /,
    names: tuple[str, ...],
    driver_name: str | None,
    timeout: float | None,
    output: str,
    yes: bool,
    **other_options: Any,
) -> int:
    """Make an image with engine and agent inside, and no keys: machines made from it are ready sooner.

    \b
      pymachine bake -d aws                         makes one, from a temporary machine
      pymachine create -d aws --aws-ami baked web   uses the newest; baked:NAME: of this name
      pymachine bake ls                             what there is, and
      pymachine bake rm NAME                        removing it: it costs as much as its disk

    An interrupted bake goes on when it is repeated.
    """
    from machine.cli.context import opened_client

    first, *rest = names or (_DEFAULT_NAME,)
    with opened_client(ctx.obj) as client:
        if first == "ls" and not rest:
            return _list(client, output)
        if first == "rm" and rest:
            return _remove(client, rest, yes=yes)
        if first == "rm" or rest:
            raise UsageError("one name, or ls, or rm and names", hint="pymachine bake --help")
        return _bake(ctx, client, first, driver_name, timeout, other_options)


def _bake(
    ctx: click.Context,
    opened: Client,
    name: str,
    driver_name: str | None,
    timeout: float | None,
    other_options: dict[str, Any],
) -> int:
    from machine.cli.context import cancelled_by_signals
    from machine.cli.progress import shown

    plan = _plan(ctx, opened, name, driver_name, other_options)
    began = time.monotonic()
    with cancelled_by_signals() as cancellation, shown() as emit:
        client = opened.using(on_event=emit, cancellation=cancellation, timeout=timeout)
        made = client.bake_planned(plan)
    click.echo(f"The image {name} is ready: {made.id} ({made.about}), after {time.monotonic() - began:.1f} s.")
    return 0


def _plan(
    ctx: click.Context, client: Client, name: str, driver_name: str | None, other_options: dict[str, Any]
) -> Plan:
    """The temporary machine: as it is said now, or as it was begun where only the name is said."""
    from machine.api.settings import given_fields
    from machine.driver import declared_options

    if only_the_name(ctx) and client.half_baked(name):
        plan = client.bake_plan(name)
        click.echo(f"Going on with {name} ({plan.driver.name})")
        return plan
    driver = client.choose_provider(driver_name)
    own = {item.name for item in declared_options(driver)}
    given = {key: value for key, value in other_options.items() if key in own and value is not None}
    engine = given_fields({key: value for key, value in other_options.items() if key not in own})
    return client.bake_plan(name, driver=driver, options=given, engine=engine)


def _list(client: Client, output: str) -> int:
    from machine.shell.listing import age, table

    found = _images(client)
    if output == "json":
        rows = [
            {"name": each.name, "driver": each.driver, "id": each.id, "made_at": each.made_at, "about": each.about}
            for each in (image.baked for image in found.found)
        ]
        click.echo(json.dumps(rows, indent=2))
    else:
        now = time.time()
        lines = [
            (each.name, each.driver, each.id, age(now - each.made_at), each.about)
            for each in (image.baked for image in found.found)
        ]
        click.echo(table(_HEADERS, [*lines]), nl=False)
    return 1 if found.silent else 0


def _remove(client: Client, names: list[str], *, yes: bool) -> int:
    from machine.cli.context import cancelled_by_signals
    from machine.cli.failures import show_error
    from machine.errors import Cancelled, PymachineError

    found = _images(client)
    meant = [image for image in found.found if image.baked.name in names or image.baked.id in names]
    said = {part for image in meant for part in (image.baked.name, image.baked.id)}
    unknown = [name for name in names if name not in said]
    if unknown:
        raise UsageError(
            f"there is no baked image {unknown[0]}",
            hint="see them all: pymachine bake ls; what was left half made: pymachine gc",
        )
    for image in meant:
        click.echo(f"{image.baked.name}  {image.baked.id}  {image.baked.about}")
    if not yes:
        click.echo(f"Remove {'these' if len(meant) > 1 else 'this'}? (y/n): ", nl=False)
        if not sys.stdin.readline().strip().lower().startswith("y"):
            return 0
    code = 1 if found.silent else 0
    with cancelled_by_signals() as cancellation:
        for image in meant:
            try:
                client.using(cancellation=cancellation).bake_rm(image)
            except Cancelled:
                raise
            except PymachineError as error:  # the others are still removed
                code = show_error(error)
            else:
                click.echo(f"{image.baked.id} is removed.")
    return code


def _images(client: Client) -> Images:
    found = client.bake_ls()
    for line in found.silent:
        click.echo(f"could not ask {line}", err=True)
    return found
