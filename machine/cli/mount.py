"""``pymachine mount``: a directory of a machine's host, by the operator's own sshfs."""

from __future__ import annotations

import dataclasses

import click

from machine.errors import UsageError


@click.command()
@click.argument("words", nargs=-1, metavar="[[USER@]MACHINE:]PATH [MOUNTPOINT]")
@click.option("-u", "--unmount", "undo", is_flag=True, help="Unmount it.")
@click.pass_obj
def command(directory: str, words: tuple[str, ...], undo: bool) -> int:
    """Mount a directory of a machine on this computer, or unmount it; exits as sshfs does.

    Without a machine it is the one called default; without a mountpoint, the same path.
    """
    from machine.cli.context import meant, opened_client

    if not 1 <= len(words) <= 2:
        raise UsageError("Improper number of arguments", hint="pymachine mount MACHINE:PATH MOUNTPOINT")
    with opened_client(directory) as client:
        place = client.place(words[0])
        mountpoint = words[1] if len(words) == 2 else place.path
        if undo:
            return client.unmount(mountpoint, on_terminal=True)
        if place.machine is None:
            place = dataclasses.replace(place, machine=meant(client, None).name)
        return client.mount(place, mountpoint, on_terminal=True)
