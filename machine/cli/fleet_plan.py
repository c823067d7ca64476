"""``pymachine fleet plan``: what an apply would do, and why."""

from __future__ import annotations

import contextlib
import json

import click

from machine.cli.fleetfile import fleet_file

CHANGES = 2  # the exit code where something would change


@click.command()
@fleet_file
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--out", metavar="FILE", help="Save the plan, for `fleet apply FILE`; it ends in .plan.")
@click.option("--hosts", is_flag=True, help="Also log in to every host, and plan to put back what was changed there.")
@click.option("--recorded", is_flag=True, help="Ask no provider and no host; believe what is recorded.")
@click.pass_obj
def command(
    directory: str,
    file: str,
    variables: dict[str, str],
    output: str,
    out: str | None,
    hosts: bool,
    recorded: bool,
) -> int:
    """Say what `fleet apply` would create, change, replace and remove.

    Exits 0 when nothing would change, 2 when something would, 1 on an error or when a host could not be asked.
    """
    from machine.cli.context import cancelled_by_signals, opened_client
    from machine.cli.fleetplan import read_fleet, show_plan
    from machine.errors import UsageError
    from machine.fleet.savedplan import SUFFIX, write_plan

    if out is not None and not out.endswith(SUFFIX):
        raise UsageError(f"a saved plan's name ends in {SUFFIX}", hint=f"--out {out}{SUFFIX}")
    if hosts and recorded:
        raise UsageError("--hosts asks every host, and --recorded asks nobody", hint="say one of them")
    fleet = read_fleet(file, variables)
    with opened_client(directory) as client, contextlib.ExitStack() as stack:
        if hosts:  # there are connections to be closed
            client = client.using(cancellation=stack.enter_context(cancelled_by_signals()))
        plan = client.fleet(fleet).plan(recorded=recorded, hosts=hosts)
    if output == "json":
        click.echo(json.dumps(plan.document(), indent=2, ensure_ascii=False))
    else:
        show_plan(plan)
    if out is not None:
        write_plan(out, plan, variables)
        if output == "text":
            click.echo(f"To do just that: pymachine fleet apply {out}")
    return 1 if plan.unknown else CHANGES if plan.pending else 0
