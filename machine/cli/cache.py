"""``pymachine cache ls|prune``: base images and the like, what they take up and who needs them."""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from machine.api.keeping import Cached
    from machine.driver import CacheEntry

_HEADERS = ("DRIVER", "ID", "SIZE", "AGE", "MACHINES", "WHAT")
_WIDEST = 60  # of the last column; all of it is in -o json


@click.group()
def command() -> None:
    """Show and free what is kept so that the next machine is made sooner."""


@command.command()
@click.option("-o", "--output", type=click.Choice(["table", "json"]), default="table", show_default=True)
def ls(output: str) -> int:
    """List what is kept, with the machines that need it."""
    from machine.shell.listing import age, table

    found = _cached()
    if output == "json":
        click.echo(json.dumps([_as_json(each) for each in found.entries], indent=2))
        return _show_errors(found)
    now = time.time()
    rows: list[tuple[str, ...]] = []
    for each in found.entries:
        what = each.what if len(each.what) <= _WIDEST else each.what[: _WIDEST - 1] + "…"
        old = age(now - each.made_at) if each.made_at is not None else ""
        rows.append((each.driver, each.id, size(each.size), old, ", ".join(each.machines) or "-", what))
    click.echo(table(_HEADERS, rows), nl=False)
    return _show_errors(found)


@command.command()
@click.option("-a", "--all", "everything", is_flag=True, help="Also name what machines need; it is refused.")
@click.option("--dry-run", is_flag=True, help="Say what would be removed, and remove nothing.")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", show_default=True)
def prune(everything: bool, dry_run: bool, yes: bool, output: str) -> int:
    """Remove what no machine needs. It is made again when it is needed."""
    from machine.api.client import Client
    from machine.cli.failures import show_error
    from machine.errors import PymachineError, UsageError

    found = _cached()
    unused = [each for each in found.entries if not each.machines and not each.busy]
    code = _show_errors(found)
    if everything:
        for each in found.entries:
            if each not in unused:
                click.echo(f"{each.id} stays: {_reason(each)}", err=True)
                code = max(code, 1)
    if unused and not dry_run and not yes:
        if not sys.stdin.isatty():
            raise UsageError("nobody to ask", hint="add -y to remove without a question, or --dry-run")
        for each in unused:
            click.echo(f"{each.id}  {size(each.size)}  {each.what}", err=True)
        click.confirm(f"Remove {len(unused)} of these?", abort=True, err=True)
    gone = []
    for each in unused:
        try:
            if dry_run or Client.cache_prune(each):
                gone.append(each)
            else:
                click.echo(f"{each.id} stays: it was taken into use just now", err=True)
        except PymachineError as error:  # the others are still removed
            code = max(code, show_error(error))
    if output == "json":
        click.echo(json.dumps([_as_json(each) for each in gone], indent=2))
        return code
    verb = "Would remove" if dry_run else "Removed"
    for each in gone:
        click.echo(f"{verb} {each.id} ({size(each.size)}): {each.what}")
    total = size(sum(each.size for each in gone))
    click.echo(f"{'Would free' if dry_run else 'Freed'} {total}." if gone else "Nothing to remove.")
    return code


def size(count: int) -> str:
    """Bytes as people say them, in units of 1000: 482.1 MB."""
    number = float(count)
    for unit in ("B", "kB", "MB", "GB"):
        if number < 999.95:
            return f"{count} B" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} TB"


def _cached() -> Cached:
    from machine.api.client import Client

    return Client.cache_ls()


def _show_errors(found: Cached) -> int:
    from machine.cli.failures import show_error

    return max([show_error(error) for error in found.errors], default=0)


def _reason(entry: CacheEntry) -> str:
    if entry.machines:
        return f"needed by {', '.join(entry.machines)}"
    return "it is being made or taken into use"


def _as_json(entry: CacheEntry) -> dict[str, object]:
    return {
        "driver": entry.driver,
        "id": entry.id,
        "what": entry.what,
        "path": entry.path,
        "size": entry.size,
        "made_at": entry.made_at,
        "machines": list(entry.machines),
        "busy": entry.busy,
    }
