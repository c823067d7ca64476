"""``pymachine import``: machines that docker-machine made."""

from __future__ import annotations

import os

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
    from machine.compat.adopt import adopt, check_source, expiry_warning, roll_back
    from machine.compat.views import write_views
    from machine.store.store import Store

    if source is None:
        raise UsageError("from where?", hint="pymachine import --from-docker-machine [DIR]")
    home = os.path.join(os.path.expanduser("~"), ".docker", "machine")
    source = os.path.abspath(source or os.environ.get("MACHINE_STORAGE_PATH") or home)
    place = source if in_place else directory
    check_source(source, place, in_place=in_place)
    # Looking makes no store where there is none; names are compared with one that is there.
    store = None if dry_run else Store(place, beside=in_place)
    code = taken = 0
    try:

        def changed(name: str) -> None:
            if in_place and store is not None:
                write_views(store, name)

        for each in adopt(store, source, in_place=in_place, changed=changed):
            if each.problem:
                code = 1
                click.echo(f"{each.name} ({each.what}): not taken over: {each.problem}", err=True)
                continue
            taken += not each.already
            what = "would be taken over" if dry_run else "is ours already" if each.already else "taken over"
            click.echo(f"{each.name} ({each.what}): {what}")
            for note in each.notes:
                click.echo(f"  {note}")
        if in_place and store is not None:
            write_views(store)
        warning = expiry_warning(source, in_place=in_place)
    finally:
        if store is not None:
            store.close()
    machines = f"{taken} machine{'' if taken == 1 else 's'}"
    if warning:
        click.echo(f"Warning: {warning}", err=True)
    click.echo(f"{machines} {'would be ' if dry_run else ''}taken over. No host was touched, nothing was restarted.")
    if in_place and not dry_run:
        click.echo(f"To go back to docker-machine itself: {roll_back(source)}")
    return code
