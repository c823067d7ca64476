"""Errors on screen: the machine, the step, the cause and the next command; and the exit code."""

from __future__ import annotations

import difflib

import click

from machine.compat.words import renamed, worded
from machine.errors import PreCheckFailed, PymachineError
from machine.program import is_drop_in


def show_error(error: PymachineError, command: str | None = None) -> int:
    """Print an error of ours to stderr; returns its exit code.

    Args:
        command: whose error it is; left out: that which runs.
    """
    from machine.api.log import redacted

    where = "".join(f"{part}: " for part in (error.machine, error.step) if part)
    # The message of a name that is wrong says the name already.
    if error.machine and error.step is None and error.machine in error.message:
        where = ""
    lines = [f"Error: {where}{error.message}"]
    if is_drop_in():
        lines = [worded(error)]
    if error.cause:
        lines.append(f"  cause: {error.cause}")
    if error.hint:
        lines.append(f"  next:  {error.hint}")
    if error.log:
        lines.append(f"  log:   {error.log}")
    text = redacted("\n".join(lines))  # what a host or a provider said may hold a password
    click.echo(renamed(text) if is_drop_in() else text, err=True)
    if is_drop_in() and isinstance(error, PreCheckFailed):  # docker-machine's 3 is create's alone
        context = click.get_current_context(silent=True)
        return error.exit_code if (command or (context and context.info_name)) == "create" else 1
    return error.exit_code


def show_click_error(error: click.ClickException) -> int:
    """Print what click found wrong with the command line, in one line, with the nearest valid choice."""
    message = error.format_message()
    if isinstance(error, click.NoSuchOption) and error.ctx is not None and not error.possibilities:
        known = [flag for parameter in error.ctx.command.get_params(error.ctx) for flag in parameter.opts]
        close = difflib.get_close_matches(error.option_name, known, n=1)
        message += f" Did you mean {close[0]}?" if close else ""
    click.echo(f"Error: {message}", err=True)
    if isinstance(error, click.UsageError) and error.ctx is not None:
        click.echo(f"  next:  {error.ctx.command_path} --help", err=True)
    return 1
