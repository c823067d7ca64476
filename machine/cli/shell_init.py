"""``pymachine shell-init``: for the start-up file of a shell."""

from __future__ import annotations

import difflib

import click

from machine.errors import UsageError


@click.command("shell-init")
@click.argument("shell", required=False)
def command(shell: str | None) -> None:
    """Print what gives a shell `pymachine use NAME`, completion and a prompt segment.

    \b
      eval "$(pymachine shell-init bash)"     in ~/.bashrc (or zsh, in ~/.zshrc)
      pymachine shell-init fish | source      in ~/.config/fish/config.fish
    """
    import os

    from click.shell_completion import get_completion_class

    from machine.cli.main import main
    from machine.program import NAME
    from machine.shell import env
    from machine.shell.init import SHELLS, render

    shell = shell or env.detect(dict(os.environ))
    if shell not in SHELLS:
        close = difflib.get_close_matches(shell or "", SHELLS, n=1)
        known = f"known: {', '.join(SHELLS)}"
        raise UsageError(f"no shell-init for {shell!r}", hint=f"did you mean {close[0]}? {known}" if close else known)
    click.echo(render(shell, NAME), nl=False)
    completion = get_completion_class(shell)
    if completion is not None:
        source = completion(main, {}, NAME, "_PYMACHINE_COMPLETE").source()
        if shell == "zsh":  # whose completion is a thing that users switch on: without compinit there is none
            source = f"if (( $+functions[compdef] )); then\n{source}\nfi"
        click.echo(source)
