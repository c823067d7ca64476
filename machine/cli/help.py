"""``pymachine help``: what ``--help`` says."""

from __future__ import annotations

import click


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("words", nargs=-1, metavar="[COMMAND]", type=click.UNPROCESSED)
@click.pass_context
def command(ctx: click.Context, words: tuple[str, ...]) -> None:
    """Show all commands, or what one of them does."""
    group = ctx.parent
    assert group is not None  # noqa: S101 - this is a command of a group
    assert isinstance(group.command, click.Group)  # noqa: S101 - as above
    if not words:
        click.echo(group.get_help())
        return
    name, found, rest = group.command.resolve_command(group, list(words))
    assert found is not None  # noqa: S101 - an unknown one was an error
    with found.make_context(name, [*rest, "--help"], parent=group):
        pass  # its help is shown by parsing that
