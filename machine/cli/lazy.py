"""A group whose commands are each in a module of their name, imported when it is used."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Sequence
from typing import Any

import click


class LazyGroup(click.Group):
    """Finds a command in the module of its name.

    Args:
        names: the commands, in the order in which help lists them.
        modules: what the names of their modules begin with: ``machine.cli.``.
    """

    def __init__(self, *args: Any, names: Sequence[str], modules: str, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self._names, self._modules = tuple(names), modules

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, without importing one."""
        return list(self._names)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, imported now; None for an unknown name."""
        if cmd_name not in self._names:
            return None
        module = importlib.import_module(f"{self._modules}{cmd_name.replace('-', '_')}")
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Name the nearest command when one is mistyped."""
        if args and args[0] not in self._names and not args[0].startswith("-"):
            close = difflib.get_close_matches(args[0], self._names, n=1)
            meant = f" Did you mean {close[0]}?" if close else ""
            raise click.UsageError(f"No such command {args[0]!r}.{meant}", ctx)
        return super().resolve_command(ctx, args)
