"""``pymachine ls``: what there is, and what it is doing now."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from machine.errors import UsageError

if TYPE_CHECKING:
    from machine.api.client import Client
    from machine.compat.filters import Filters
    from machine.compat.listing import Row
    from machine.model import Machine

_REDRAWN_EVERY = 2.0  # seconds
_OUTPUTS = ("table", "wide", "json", "yaml", "name")
_PRICED = ("wide", "json", "yaml")


@click.command()
@click.argument("ignored", metavar="", nargs=-1)
@click.option("-q", "--quiet", is_flag=True, help="Names only; without a filter of states it asks nobody.")
@click.option(
    "--filter",
    "wanted",
    metavar="KEY=VALUE",
    multiple=True,
    help="Only those with this driver, label, name (a regular expression), state or swarm. "
    "Of one key any of the values, of several keys all.",
)
@click.option("--recorded", is_flag=True, help="What is recorded, with its age; asks nobody.")
@click.option(
    "-t",
    "--timeout",
    type=click.FloatRange(min=0),
    default=10,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for all answers together.",
)
@click.option(
    "-f",
    "--format",
    "form",
    metavar="TEMPLATE",
    default="",
    help="What a Go template makes of each, such as '{{.Name}}: {{.URL}}'; with 'table ' before it, in columns.",
)
@click.option("-o", "--output", type=click.Choice(_OUTPUTS), default="table", show_default=True)
@click.option("--watch", is_flag=True, help="Draw it again every two seconds, until Ctrl-C.")
@click.pass_obj
def command(
    directory: str,
    ignored: tuple[str, ...],
    quiet: bool,
    wanted: tuple[str, ...],
    recorded: bool,
    timeout: float,
    form: str,
    output: str,
    watch: bool,
) -> int:
    """List machines."""
    from machine.cli.context import opened_client
    from machine.compat.filters import parse_filters
    from machine.compat.listing import default_table, parse_format, unknown_prices, wide_table
    from machine.program import is_drop_in

    if form and output != "table":
        raise UsageError("--format and --output do not go together", hint="give one of them")
    filters = parse_filters(wanted)
    drop_in = is_drop_in()
    if ignored and not drop_in:
        click.echo(f"ls lists all machines; only {ignored[0]}: --filter name='^{ignored[0]}$'", err=True)

    if quiet or output == "name":
        draw: Callable[[list[Row]], str] = _names
    elif form:
        template = parse_format(form)
        draw = lambda rows: template.render(rows, whole_states=not recorded)  # noqa: E731
    else:
        draw = {"table": default_table, "wide": wide_table, "json": _as_json, "yaml": _as_yaml}[output]

    with opened_client(directory) as client:

        def drawn() -> str:
            machines = [each for each in client.machines() if filters.matches(each)]
            if draw is _names and not filters.states:
                return "".join(sorted(f"{each.name}\n" for each in machines))
            rows = _rows(
                client, machines, filters, recorded=recorded, timeout=timeout, drop_in=drop_in, priced=output in _PRICED
            )
            if output == "wide" and not watch:
                for line in unknown_prices(rows):
                    click.echo(line, err=True)
            return draw(rows)

        if not drop_in:
            _note_unknown(client, filters)
        if not watch:
            click.echo(drawn(), nl=False)
            return 0
        try:
            while True:
                _redraw(drawn())
                time.sleep(_REDRAWN_EVERY)
        except KeyboardInterrupt:
            return 0


def _rows(
    client: Client,
    machines: list[Machine],
    filters: Filters,
    *,
    recorded: bool,
    timeout: float,
    drop_in: bool,
    priced: bool,
) -> list[Row]:
    """What is known of machines, in the order of their names, those in other states than wanted left out."""
    from machine.compat.listing import row
    from machine.shell.listing import natural_key

    machines = sorted(machines, key=lambda each: natural_key(each.name))
    seen = client.ls(machines, timeout=timeout, recorded=recorded, prices=priced)
    active, now = os.environ.get("DOCKER_HOST"), time.time()
    rows = [row(each, active, drop_in=drop_in, now=now) for each in seen]
    return [each for each in rows if filters.matches_state(each.confirmed)]


def _note_unknown(client: Client, filters: Filters) -> None:
    """Say of values that no machine can have which ones were probably meant."""
    from machine.compat.filters import unknown_values
    from machine.compat.names import DRIVERS
    from machine.compat.states import WORDS
    from machine.driver import driver_names
    from machine.model import State

    drivers: set[str] = set()
    if filters.drivers:
        drivers = {
            *driver_names(),
            *(row.name for row in DRIVERS),
            *(each.spec.driver for each in client.machines()),
        }
    for key, values, known in (
        ("state", filters.states, {*map(str, State), *WORDS}),
        ("driver", filters.drivers, drivers),
    ):
        for value, close in unknown_values(values, known):
            click.echo(f"--filter {key}={value}: there is no such {key}; did you mean {close}?", err=True)


def _redraw(text: str) -> None:
    """On a terminal in the place of what was there; elsewhere after it."""
    if sys.stdout.isatty():
        text = "\x1b[H" + text.replace("\n", "\x1b[K\n") + "\x1b[J"
    click.echo(text, nl=False)
    sys.stdout.flush()


def _names(rows: list[Row]) -> str:
    return "".join(sorted(f"{each.seen.machine.name}\n" for each in rows))


def _as_json(rows: list[Row]) -> str:
    return json.dumps([_document(each) for each in rows], indent=2) + "\n"


def _as_yaml(rows: list[Row]) -> str:
    from ruamel.yaml import YAML

    out = io.StringIO()
    YAML(typ="safe", pure=True).dump([_document(each) for each in rows], out)
    return out.getvalue()


def _document(each: Row) -> dict[str, Any]:
    seen, machine = each.seen, each.seen.machine
    offering = dataclasses.asdict(seen.offering) if seen.offering else {}
    return {
        "name": machine.name,
        "active": each.active,
        "driver": machine.spec.driver,
        "state": each.state,
        "recorded": seen.recorded,
        "recorded_at": machine.state_at,
        "url": machine.url or None,
        "address": machine.address,
        "engine": seen.engine,
        "labels": list(machine.spec.engine.labels),
        **{name: offering.get(name) or None for name in ("type", "region", "zone", "market")},
        "price": dataclasses.asdict(seen.cost) if seen.cost else None,
        "trouble": seen.trouble,
    }
