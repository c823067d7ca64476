"""An apply on screen: one line for the whole, one for each machine that is being worked on; plain lines elsewhere."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click

from machine.api.log import redacted
from machine.cli.progress import listed, named, plain, title
from machine.errors import Cancelled
from machine.model import Event

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult

    from machine.fleet.changes import Change
    from machine.fleet.model import Fleet
    from machine.fleet.schedule import Outcome

_LINES = 8  # machines that are shown at work; of more it is said how many
_NAMES = 5  # of machines that were not begun


class FleetProgress:
    """What has come of how many machines."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._ended: dict[str, str] = {}  # by machine: ready, failed, not begun; a look may change its mind
        self._running: dict[str, tuple[float, str]] = {}  # since when, and at what
        self.ends: dict[str, Outcome[Change]] = {}  # the last of each machine
        self._lock = threading.Lock()  # never held while something is drawn: what draws comes here for the lines
        self._console: Console | None = None

    def __str__(self) -> str:
        """The whole in one line: ``3/50 ready, 1 failed, 12 running``."""
        with self._lock:
            counts, running = Counter(self._ended.values()), len(self._running)
        parts = [f"{counts['ready']}/{self._total} ready"]
        parts += [f"{counts[what]} {what}" for what in ("failed", "not begun") if counts[what]]
        return ", ".join(parts + [f"{running} running"] * bool(running))

    def emit(self, event: Event) -> None:
        """An event of an operation; called from its thread."""
        if self._console is None:
            plain(event)
            return
        event = named(event)
        if event.status == "warning":
            self._console.print(f"! {event.machine}: {event.text}", markup=False, soft_wrap=True)
            return
        what = title(event) + (f"  {event.text}" if event.status == "progress" else "")
        with self._lock:
            since = self._running.get(event.machine, (time.monotonic(), ""))[0]
            if event.status in ("begun", "progress"):
                self._running[event.machine] = (since, what)

    def ended(self, outcome: Outcome[Change]) -> None:
        """The end of a machine's work."""
        name = outcome.task.machine
        with self._lock:
            self._running.pop(name, None)
            self.ends[name] = outcome
            self._ended[name] = "ready" if outcome.done else "not begun" if outcome.skipped else "failed"
        if outcome.skipped:
            return  # told together, in the end
        error = "" if outcome.error is None else f": {outcome.error}"
        ended = "done" if outcome.done else "failed"
        line = redacted(f"{name}: {outcome.task.action} {ended} in {outcome.seconds:.1f} s{error}")
        if self._console is None:
            click.echo(f"{line} ({self})")
            sys.stdout.flush()
        else:
            self._console.print(f"{'✓' if outcome.done else '✗'} {line}", markup=False, soft_wrap=True)

    @contextlib.contextmanager
    def shown(self) -> Iterator[FleetProgress]:
        """Draw it for as long as this lasts."""
        if not sys.stdout.isatty():
            yield self
            return
        from rich.console import Console
        from rich.live import Live

        self._console = Console(highlight=False)
        with Live(self, console=self._console, refresh_per_second=8, transient=True) as live, listed(live):
            yield self

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The lines that move."""
        from rich.text import Text

        with self._lock:
            running = list(self._running.items())
        yield Text(str(self), style="bold")
        for name, (since, what) in running[:_LINES]:
            line = Text.assemble(f"  {name}: ", (f"{time.monotonic() - since:5.1f} s  ", "dim"), what)
            line.truncate(max(options.max_width - 1, 10), overflow="ellipsis")
            yield line
        if len(running) > _LINES:
            yield Text(f"  and {len(running) - _LINES} more", style="dim")


def told(fleet: Fleet, outcomes: Sequence[Outcome[Change]], seconds: float, *, stopped: bool) -> int:
    """Say what came of it all: each failure with its log, what was not begun and why, and how to go on.

    Args:
        stopped: by the operator.

    Returns:
        The exit code: 0, or the worst of the errors'.
    """
    from machine.cli.failures import show_error

    code = 0
    for each in outcomes:
        if each.error is not None:
            code = max(code, show_error(each.error))
    left: dict[str, list[str]] = {}
    for each in outcomes:
        if each.skipped:
            left.setdefault(each.skipped, []).append(each.task.machine)
    for why, names in left.items():
        shown = ", ".join(names[:_NAMES]) + (f" and {len(names) - _NAMES} more" if len(names) > _NAMES else "")
        click.echo(f"Not begun: {shown} ({why})", err=True)
    done, failed, skipped = (
        sum(each.done for each in outcomes),
        sum(each.error is not None for each in outcomes),
        sum(map(len, left.values())),
    )
    counts = f", {failed} failed" * bool(failed) + f", {skipped} not begun" * bool(skipped)
    click.echo(f"{fleet.name}: {done} of {len(outcomes)} done{counts}, after {seconds:.1f} s.")
    if done < len(outcomes):
        context = click.get_current_context(silent=True)
        verb = context.info_name if context is not None else "apply"
        click.echo(f"To go on: pymachine fleet {verb} {fleet.file}", err=True)
        code = code or 1
    return Cancelled.exit_code if stopped else code
