"""An operation on screen: phases with elapsed time; live on a terminal, plain lines elsewhere."""

from __future__ import annotations

import contextlib
import dataclasses
import sys
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from machine.model import Event
from machine.program import is_drop_in

if TYPE_CHECKING:
    from rich.live import Live

_drawn: list[Live] = []  # what is being drawn now
_TITLES = {
    "reserve": "Reserving the name",
    "wanted": "Noting what is wanted",
    "instance": "Making the machine",
    "connect": "Connecting over SSH",
    "converge": "Setting up the host",
    "endpoint": "Verifying the endpoint",
    "files": "Putting files on the host",
    "commands": "Running commands",
    "reboot": "Rebooting the host",
    "return": "Waiting for the host",
    "upgrade": "Upgrading the engine",
    "clean": "Cleaning the host",
    "image": "Making the image",
    "client": "Making a client certificate",
    "uninstall": "Taking the agent off the host",
    "forget": "Forgetting the machine",
}
_INSTANCE = {
    "remove": "Removing the machine",
    "start": "Starting the machine",
    "stop": "Shutting down",
    "kill": "Stopping at once",
    "restart": "Restarting",
    "bake": "Shutting down",
}


def title(event: Event) -> str:
    """A step in words."""
    if event.step == "instance" and event.operation in _INSTANCE:
        return _INSTANCE[event.operation]
    return _TITLES.get(event.step, event.step)


@contextlib.contextmanager
def shown(*, several: bool = False) -> Iterator[Callable[[Event], None]]:
    """A callback for events that draws them on stdout.

    Args:
        several: more than one machine: each line says whose it is.
    """
    if sys.stdout.isatty():
        with _live(several) as emit:
            yield emit
    else:
        yield plain


@contextlib.contextmanager
def paused() -> Iterator[None]:
    """Nothing moves on screen meanwhile: a question is there."""
    drawn = list(_drawn)
    for live in drawn:
        live.stop()
    try:
        yield
    finally:
        for live in drawn:
            live.start()


def named(event: Event) -> Event:
    """What an event tells people to type, under the name that they know."""
    if not is_drop_in():
        return event
    from machine.compat.words import renamed

    return dataclasses.replace(event, text=renamed(event.text))


def plain(event: Event) -> None:
    """An event as a line, where nothing can move."""
    if event.status == "begun":
        return
    event = named(event)
    if event.status == "done":
        detail = f": {event.text}" if event.text else ""
        line = f"{title(event)}: done in {event.elapsed:.1f} s{detail}"
    elif event.status == "warning":
        line = f"Warning: {event.text}"
    elif event.status == "progress":
        line = f"{title(event)}: {event.text}"
    else:
        return
    sys.stdout.write(f"({event.machine}) {line}\n")
    sys.stdout.flush()


@contextlib.contextmanager
def listed(live: Live) -> Iterator[None]:
    """While it is drawn, `paused` knows of it."""
    _drawn.append(live)
    try:
        yield
    finally:
        _drawn.remove(live)


@contextlib.contextmanager
def _live(several: bool) -> Iterator[Callable[[Event], None]]:
    """Finished phases stay as lines above; the running one is a line that moves."""
    from rich.console import Console
    from rich.live import Live
    from rich.spinner import Spinner
    from rich.text import Text

    console = Console(highlight=False)
    running: dict[tuple[str, str], tuple[float, str, str]] = {}

    def name_of(event: Event) -> str:
        return f"{event.machine}: {title(event)}" if several else title(event)

    class Current:
        spinner = Spinner("dots", style="cyan")

        def __rich__(self) -> Spinner | Text:
            if not running:
                return Text("")
            begun, name, text = list(running.values())[-1]
            if len(running) > 1:
                text = f"and {len(running) - 1} more"
            line = Text.assemble(
                name, (f"  {time.monotonic() - begun:.1f} s", "dim"), (f"  {text}" if text else "", "dim")
            )
            line.truncate(max(console.width - 3, 10), overflow="ellipsis")
            self.spinner.update(text=line)
            return self.spinner

    with Live(Current(), console=console, refresh_per_second=12, transient=True) as live, listed(live):

        def emit(event: Event) -> None:
            event = named(event)
            key = (event.machine, event.step)
            if event.status == "begun":
                running[key] = (time.monotonic(), name_of(event), "")
            elif event.status == "progress" and key in running:
                begun, name, _ = running[key]
                running[key] = (begun, name, event.text)
            elif event.status == "warning":
                live.console.print(Text.assemble(("! ", "yellow"), event.text))
            elif event.status in ("done", "failed"):
                running.pop(key, None)
                mark = ("✓ ", "green") if event.status == "done" else ("✗ ", "red")
                detail = f"  {event.text}" if event.text and event.status == "done" else ""
                line = Text.assemble(mark, f"{name_of(event):<29}", (f" {event.elapsed:6.1f} s", "dim"), detail)
                live.console.print(line, soft_wrap=True)

        yield emit
