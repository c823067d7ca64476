"""``pymachine env``, where the hot path could not answer: its errors and its help."""

from __future__ import annotations

import difflib
import os

import click

from machine.errors import UsageError


@click.command()
@click.argument("names", metavar="[NAME]", nargs=-1)
@click.option("--shell", metavar="SHELL", help="The shell to write for. [default: as $SHELL says]")
@click.option("-u", "--unset", is_flag=True, help="Unset the variables instead.")
@click.option("--check", is_flag=True, help="Dial the endpoint first, and fail when it does not answer.")
@click.option("--swarm", is_flag=True, hidden=True)
@click.option("--no-proxy", is_flag=True, help="Add the machine's address to no_proxy.")
@click.pass_obj
def command(
    directory: str, names: tuple[str, ...], shell: str | None, unset: bool, no_proxy: bool, check: bool, swarm: bool
) -> None:
    """Print the commands that point a docker client at a machine.

    \b
      eval "$(pymachine env NAME)"
    """
    from machine.cli.context import meant, opened_client
    from machine.cli.usable import dialled_endpoint, usable_endpoint
    from machine.compat import words
    from machine.hot import typed_command
    from machine.program import is_drop_in
    from machine.shell import env

    if swarm:
        raise UsageError(words.NO_SWARM)
    if unset and names:
        raise UsageError("Expected no machine name when the -u flag is present", hint="pymachine env --unset")
    if len(names) > 1:
        raise UsageError("Expected one machine name as an argument", hint="a shell uses one: pymachine env NAME")
    windows = os.name == "nt"
    shell = shell or env.detect(dict(os.environ), windows=windows)
    if shell is None:
        message = "Unknown shell" if is_drop_in() else "cannot tell your shell"
        raise UsageError(message, cause="$SHELL is not set", hint="add --shell bash, fish, zsh, …")
    close = difflib.get_close_matches(shell, env.SHELLS, n=1)
    # docker-machine takes any other for a POSIX shell: so it is under its name, but what was probably mistyped.
    if shell not in env.SHELLS and (close or not is_drop_in()):
        known = f"known: {', '.join(env.SHELLS)}"
        raise UsageError(f"unknown shell {shell!r}", hint=f"did you mean {close[0]}? {known}" if close else known)
    if unset:
        variables = [*env.NAMES, env.no_proxy(dict(os.environ), "")[0]] if no_proxy else list(env.NAMES)
        click.echo(env.render_unset(variables, shell, typed_command(os.environ)), nl=False)
        return
    with opened_client(directory) as client:
        machine = meant(client, names[0] if names else None)
        endpoint = (dialled_endpoint if check or is_drop_in() else usable_endpoint)(client, machine)
        told = client.env(machine)
        pairs = [(name, told.get(name)) for name in env.NAMES]
    if no_proxy:
        pairs.append(env.no_proxy(dict(os.environ), machine.address or ""))
    note = env.tunnel_note(machine.name, endpoint.route)
    if is_drop_in():
        note = words.renamed(note)
    click.echo(env.render(pairs, shell, typed_command(os.environ), windows=windows, note=note), nl=False)
