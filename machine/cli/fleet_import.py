"""``pymachine fleet import``: a fleet's file from machines that exist."""

from __future__ import annotations

import os

import click


@click.command()
@click.argument("file", default="fleet.yaml", metavar="[FILE]")
@click.option("--name", metavar="FLEET", help="What the fleet is called. [default: as the file without .yaml]")
@click.option("--machine", "patterns", multiple=True, metavar="NAME",
              help="A machine, or a pattern: web-*; repeatable. [default: all that no fleet has]")  # fmt: skip
@click.option("--adopt", is_flag=True,
              help="Let the fleet have the machines: from then on an apply may change and remove them.")  # fmt: skip
@click.pass_obj
def command(directory: str, file: str, name: str | None, patterns: tuple[str, ...], adopt: bool) -> int:
    """Write a fleet's file that says what is there already.

    Machines of one driver whose names begin alike are a group. With --adopt, FILE may exist: then nothing is written,
    and the machines that have its names are the fleet's from now on. Nothing on the machines changes.
    """
    from machine.cli.context import cancelled_by_signals, opened_client
    from machine.cli.failures import show_error
    from machine.cli.fleetplan import read_fleet
    from machine.errors import UsageError

    there = os.path.exists(file)
    if there and not adopt:
        raise UsageError(f"{file} exists, and nothing was written", hint="choose another name; or only --adopt by it")
    with opened_client(directory) as client, cancelled_by_signals() as cancellation:
        if not there:
            called = name or os.path.basename(file).partition(".")[0]
            _write(file, client.fleet_import(called, list(patterns) or None))
        fleet = read_fleet(file, {})
        if not there:
            count = sum(len(group.machines) for group in fleet.groups)
            click.echo(f"{file} is written: {count} machine{'' if count == 1 else 's'}.")
        if not adopt:
            click.echo(f"To let the fleet have them: pymachine fleet import --adopt {file}")
            return 0
        code = 0
        for outcome in client.using(cancellation=cancellation).fleet(fleet).adopt():
            if outcome.error is not None:
                code = max(code, show_error(outcome.error))
            else:
                click.echo(f"{outcome.machine} is of the fleet {fleet.name} now.")
        click.echo(f"To see what an apply would change: pymachine fleet plan {file}")
        return code


def _write(file: str, text: str) -> None:
    from machine.errors import UsageError

    try:
        with open(file, "x", encoding="utf-8") as opened:
            opened.write(text)
    except OSError as error:
        raise UsageError(f"{file} cannot be written", cause=error.strerror) from error
