"""``pymachine ls``: what there is, and what it is doing now."""

from __future__ import annotations

import json
import os
import time

import click


@click.command()
@click.option("-q", "--quiet", is_flag=True, help="Names only; asks nobody.")
@click.option("--recorded", is_flag=True, help="What is recorded, with its age; asks nobody.")
@click.option(
    "-t",
    "--timeout",
    type=click.FloatRange(min=0.1),
    default=10,
    show_default=True,
    metavar="SECONDS",
    help="How long to wait for all answers together.",
)
@click.option("-o", "--output", type=click.Choice(["table", "json"]), default="table", show_default=True)
@click.pass_obj
def command(directory: str, quiet: bool, recorded: bool, timeout: float, output: str) -> None:
    """List machines."""
    from machine.cli.context import opened_store
    from machine.driver import load_driver
    from machine.operations.observe import Seen, observe
    from machine.shell.listing import HEADERS, age, natural_key, table

    with opened_store(directory) as store:
        if quiet:
            click.echo("".join(f"{name}\n" for name in sorted(store.machines.names(), key=natural_key)), nl=False)
            return
        machines = sorted(store.machines.all(), key=lambda each: natural_key(each.name))
        if recorded:
            seen = [Seen(machine=each, state=each.state, recorded=True, trouble=each.error or "") for each in machines]
        else:
            seen = observe(store, machines, load_driver, timeout=timeout)
    now = time.time()
    active = os.environ.get("DOCKER_HOST")
    if output == "json":
        click.echo(json.dumps([_as_json(each, active) for each in seen], indent=2))
        return
    rows: list[tuple[str, ...]] = []
    for each in seen:
        machine = each.machine
        url = machine.url
        state = str(each.state) + (f" ({age(now - machine.state_at)} ago)" if each.recorded else "")
        engine = f"docker {each.engine}" if each.engine else (machine.engine or "" if each.recorded else "")
        mark = "*" if url and url == active else "-"
        rows.append((machine.name, mark, machine.spec.driver, state, url, engine, each.trouble))
    click.echo(table(HEADERS, rows), nl=False)


def _as_json(seen: object, active: str | None) -> dict[str, object]:
    from machine.operations.observe import Seen

    assert isinstance(seen, Seen)  # noqa: S101 - typed so that the module imports nothing heavy
    machine = seen.machine
    url = machine.endpoint.url if machine.endpoint else None
    return {
        "name": machine.name,
        "active": url is not None and url == active,
        "driver": machine.spec.driver,
        "state": str(seen.state),
        "recorded": seen.recorded,
        "recorded_at": machine.state_at,
        "url": url,
        "address": machine.address,
        "engine": seen.engine,
        "trouble": seen.trouble,
    }
