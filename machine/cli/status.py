"""``pymachine status``: one word."""

from __future__ import annotations

import click


@click.command()
@click.argument("name", required=False)
@click.option("--recorded", is_flag=True, help="What is recorded; asks nobody.")
@click.option("-t", "--timeout", type=click.FloatRange(min=0.1), default=10, show_default=True, metavar="SECONDS")
@click.pass_obj
def command(directory: str, name: str | None, recorded: bool, timeout: float) -> None:
    """Print the state of a machine: one word on stdout, what else is known on stderr."""
    from machine.cli.context import meant, opened_store
    from machine.driver import load_driver
    from machine.operations.observe import observe

    with opened_store(directory) as store:
        machine = meant(store, name)
        if recorded:
            click.echo(str(machine.state))
            return
        seen = observe(store, [machine], load_driver, timeout=timeout)[0]
    click.echo(str(seen.state))
    if seen.trouble:
        click.echo(f"{machine.name}: {seen.trouble}", err=True)
