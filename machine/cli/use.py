"""``pymachine use``, where the shell's function of that name is not there yet."""

from __future__ import annotations

import click

from machine.errors import UsageError


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def command(arguments: tuple[str, ...]) -> None:
    """Switch this shell to a machine: use NAME, use - (the one before), use --unset.

    A command cannot change the shell it is run from; `pymachine shell-init` gives the shell a function that can.
    """
    name = arguments[0] if arguments else "NAME"
    raise UsageError(
        "this shell has not been told how to switch",
        hint=f'eval "$(pymachine shell-init bash)", then again; or: eval "$(pymachine env {name})"',
    )
