"""``pymachine run``: a shell command on the hosts of many machines."""

from __future__ import annotations

import json
import sys
import threading
from typing import TYPE_CHECKING, Any

import click

from machine.cli.selecting import selector_options
from machine.errors import UsageError

if TYPE_CHECKING:
    from machine.api.choosing import Selector
    from machine.model import Machine

_WORDS = f"{__name__}.words"


class RunCommand(click.Command):
    """Names and flags end at ``--``; what follows is the command, to the letter."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Keep the command apart before the line is parsed."""
        if "--" in args:
            at = args.index("--")
            ctx.meta[_WORDS] = args[at + 1 :]
            args = args[:at]
        return super().parse_args(ctx, args)


@click.command(cls=RunCommand)
@click.argument("names", metavar="[NAME...] -- COMMAND...", nargs=-1)
@selector_options
@click.option("--sudo", is_flag=True, help="As root.")
@click.option("--parallel", type=click.IntRange(1, 1000), default=32, show_default=True, help="Hosts at once.")
@click.option("--timeout", type=click.FloatRange(min=1), default=3600.0, metavar="SECONDS", help="For each host.")
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.pass_context
def command(ctx: click.Context, selector: Selector, sudo: bool, parallel: int, timeout: float, output: str) -> int:
    """Run a shell command on each host, side by side; its lines are labelled by machine.

    Exits with the worst exit code of the command, or 1 where a host could not be asked.

    \b
      pymachine run web-1 web-2 -- uptime
      pymachine run --fleet shop --group web --sudo -- systemctl restart nginx
      pymachine run 'web-*' -- 'df -h / | tail -1'
    """
    from machine.cli.context import cancelled_by_signals, opened_client
    from machine.cli.failures import show_error
    from machine.cli.selecting import selected

    words = ctx.meta.get(_WORDS)
    if not words:
        raise UsageError("No command given.", hint="pymachine run NAME... -- COMMAND; what follows -- is the command")
    with opened_client(ctx.obj) as opened:
        machines = selected(opened, selector)
        lines = _Lines(max(len(each.name) for each in machines), quiet=output == "json")
        with cancelled_by_signals() as cancellation:
            client = opened.using(cancellation=cancellation, timeout=timeout, parallel=parallel)
            outcomes = client.run(" ".join(words), machines, sudo=sudo, on_output=lines.say)
    code, documents = 0, []
    for outcome in outcomes:
        name = outcome.machine
        lines.end(name)
        document: dict[str, Any] = {"machine": name, "exit_code": None, "stdout": "", "stderr": "", "error": ""}
        if outcome.error is not None:
            code = max(code, show_error(outcome.error))
            document["error"] = str(outcome.error)
        else:
            ran = outcome.result
            status = ran.status if ran.status >= 0 else 255
            code = max(code, status)
            for line in ran.stderr.splitlines():
                lines.line(name, line, err=True)
            if status and output == "text":
                click.echo(f"{name}: exit code {status}", err=True)
            document |= {"exit_code": ran.status, "stdout": ran.stdout, "stderr": ran.stderr}
        documents.append(document)
    if output == "json":
        click.echo(json.dumps(documents, indent=2))
    return code


class _Lines:
    """Whole lines, each labelled by its machine: those of two hosts never run into each other."""

    def __init__(self, width: int, *, quiet: bool) -> None:
        self._width = width
        self._quiet = quiet
        self._rest: dict[str, str] = {}
        self._one = threading.Lock()

    def say(self, machine: Machine, text: str) -> None:
        """What a command printed, as it comes."""
        with self._one:
            *whole, self._rest[machine.name] = (self._rest.get(machine.name, "") + text).split("\n")
            for line in whole:
                self.line(machine.name, line)

    def end(self, name: str) -> None:
        """The last line may have no end."""
        if rest := self._rest.pop(name, ""):
            self.line(name, rest)

    def line(self, name: str, text: str, *, err: bool = False) -> None:
        """One line; what a host sends does not steer the terminal."""
        if self._quiet:
            return
        shown = "".join(each if each.isprintable() or each == "\t" else "" for each in text)
        click.echo(f"{name:<{self._width}} | {shown}", err=err)
        sys.stdout.flush()
