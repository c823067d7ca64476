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
    from machine.model import Machine
    from machine.operations.selection import Selector

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
    from machine.cli.context import ask_passphrase, cancelled_by_signals, opened_store
    from machine.cli.failures import show_error
    from machine.cli.selecting import selected
    from machine.errors import PymachineError
    from machine.operations.operation import Settings
    from machine.operations.run import run

    words = ctx.meta.get(_WORDS)
    if not words:
        raise UsageError("No command given.", hint="pymachine run NAME... -- COMMAND; what follows -- is the command")
    with opened_store(ctx.obj) as store:
        machines = selected(store, selector)
        lines = _Lines(max(len(each.name) for each in machines), quiet=output == "json")
        with cancelled_by_signals() as cancellation:
            settings = Settings(ask_passphrase=ask_passphrase, cancellation=cancellation, timeout=timeout)
            outcomes = run(store, machines, " ".join(words), settings, sudo=sudo, say=lines.say, workers=parallel)
    code, documents = 0, []
    for machine, outcome in outcomes:
        lines.end(machine)
        document: dict[str, Any] = {"machine": machine.name, "exit_code": None, "stdout": "", "stderr": "", "error": ""}
        if isinstance(outcome, PymachineError):
            code = max(code, show_error(outcome))
            document["error"] = str(outcome)
        else:
            status = outcome.status if outcome.status >= 0 else 255
            code = max(code, status)
            for line in outcome.stderr.splitlines():
                lines.line(machine, line, err=True)
            if status and output == "text":
                click.echo(f"{machine.name}: exit code {status}", err=True)
            document |= {"exit_code": outcome.status, "stdout": outcome.stdout, "stderr": outcome.stderr}
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
                self.line(machine, line)

    def end(self, machine: Machine) -> None:
        """The last line may have no end."""
        if rest := self._rest.pop(machine.name, ""):
            self.line(machine, rest)

    def line(self, machine: Machine, text: str, *, err: bool = False) -> None:
        """One line; what a host sends does not steer the terminal."""
        if self._quiet:
            return
        shown = "".join(each if each.isprintable() or each == "\t" else "" for each in text)
        click.echo(f"{machine.name:<{self._width}} | {shown}", err=err)
        sys.stdout.flush()
