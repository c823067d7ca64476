"""``pymachine status``: one word."""

from __future__ import annotations

import click

from machine.errors import DriverError, UsageError


@click.command()
@click.argument("names", metavar="[NAME]", nargs=-1)
@click.option("--recorded", is_flag=True, help="What is recorded; asks nobody.")
@click.option("-t", "--timeout", type=click.FloatRange(min=0), default=10, show_default=True, metavar="SECONDS")
@click.pass_obj
def command(directory: str, names: tuple[str, ...], recorded: bool, timeout: float) -> None:
    """Print the state of a machine: one word on stdout, what else is known on stderr."""
    from machine.cli.context import meant, opened_client
    from machine.compat.listing import row
    from machine.program import is_drop_in

    drop_in = is_drop_in()
    if len(names) > 1:
        raise UsageError("Expected one machine name as an argument", hint="of several: pymachine ls")
    with opened_client(directory) as client:
        machine = meant(client, names[0] if names else None)
        seen = client.status(machine, timeout=timeout, recorded=recorded)
    if drop_in and seen.unanswered and not seen.timed_out:
        raise DriverError(f"error getting state for host {machine.name}: {seen.trouble}")
    click.echo(row(seen, None, drop_in=drop_in).state)
    if seen.trouble and not (recorded or drop_in):
        click.echo(f"{machine.name}: {seen.trouble}", err=True)
