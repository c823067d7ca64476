"""``pymachine import``: machines that docker-machine made."""

from __future__ import annotations

import click

from machine.errors import UsageError


@click.command()
@click.option(
    "--from-docker-machine",
    "source",
    is_flag=False,
    flag_value="",
    metavar="[DIR]",
    help="Its store. [env: MACHINE_STORAGE_PATH; default: ~/.docker/machine]",
)
@click.option("--dry-run", is_flag=True, help="Say what would be done, and change nothing.")
@click.option(
    "--in-place",
    is_flag=True,
    help="Make that directory our store instead of copying from it: what the command docker-machine uses, when that is "
    "this program.",
)
@click.pass_obj
def command(directory: str, source: str | None, dry_run: bool, in_place: bool) -> int:
    """Take over machines with their own certificates; hosts are not touched.

    They can be used at once. The agent comes to one of them when you say: pymachine provision NAME
    """
    from machine.api.importing import given_source, take_over
    from machine.compat.adopt import expiry_warning, roll_back

    if source is None:
        raise UsageError("from where?", hint="pymachine import --from-docker-machine [DIR]")
    source = given_source(source)
    code = taken = 0
    for each in take_over(source, directory, in_place=in_place, dry_run=dry_run):
        if each.problem:
            code = 1
            click.echo(f"{each.name} ({each.what}): not taken over: {each.problem}", err=True)
            continue
        taken += not each.already
        what = "would be taken over" if dry_run else "is ours already" if each.already else "taken over"
        click.echo(f"{each.name} ({each.what}): {what}")
        for note in each.notes:
            click.echo(f"  {note}")
    warning = expiry_warning(source, in_place=in_place)
    machines = f"{taken} machine{'' if taken == 1 else 's'}"
    if warning:
        click.echo(f"Warning: {warning}", err=True)
    click.echo(f"{machines} {'would be ' if dry_run else ''}taken over. No host was touched, nothing was restarted.")
    if in_place and not dry_run:
        click.echo(f"To go back to docker-machine itself: {roll_back(source)}")
    return code
