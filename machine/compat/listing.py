"""The list of machines as docker-machine draws it, and as its templates see it (commands/ls.go)."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from machine.compat.document import driver_name, engine_options, swarm_options
from machine.compat.gotemplate import Header, Named, Struct, Template
from machine.compat.names import is_known
from machine.compat.states import WORDS, its_number, its_word
from machine.compat.words import NO_DRIVER, renamed
from machine.model import Offering
from machine.operations.observe import Seen
from machine.operations.pricing import Cost
from machine.shell.listing import HEADERS, age, aligned, docker_version, has_endpoint

_FIELDS = (
    "Name", "Active", "ActiveHost", "ActiveSwarm", "DriverName", "State", "URL", "SwarmOptions", "Swarm",
    "EngineOptions", "Error", "DockerVersion", "ResponseTime",
)  # fmt: skip
_HEADERS = (
    "NAME", "ACTIVE", "ACTIVE_HOST", "ACTIVE_SWARM", "DRIVER", "STATE", "URL", "SWARM_OPTIONS", "SWARM",
    "ENGINE_OPTIONS", "ERRORS", "DOCKER", "RESPONSE",
)  # fmt: skip
_WIDE = ("ADDRESS", "SYSTEM", "TYPE", "PLACE", "MARKET", "PRICE", "CREATED")  # ours, before the errors
_GO_NAMES = {"Dns": "DNS", "TlsVerify": "TLSVerify"}  # in JSON and in the struct


@dataclass(frozen=True, slots=True)
class Row:
    """A machine in the list."""

    seen: Seen
    driver: str
    active: bool
    state: str  # the word
    shown_state: str  # and, where it is not observed, how old it is
    confirmed: str  # what a filter looks at: a state that was asked for and is only recorded is none that is wanted
    url: str
    docker: str
    trouble: str
    blank: bool = False  # docker-machine's row of a machine of which nothing is known, but perhaps why


def row(seen: Seen, docker_host: str | None, *, drop_in: bool, now: float | None = None) -> Row:
    """What is shown of a machine.

    Args:
        docker_host: what $DOCKER_HOST says.
        drop_in: in docker-machine's words.
    """
    machine = seen.machine
    trouble = " ".join(seen.trouble.split())
    if drop_in and not seen.driven and (seen.unanswered or not is_known(machine.spec.driver)):
        why = trouble if seen.unanswered else NO_DRIVER.format(machine.spec.driver)
        return Row(seen, "not found", False, "Error", "Error", "Error", "", "", why, blank=True)
    driver = driver_name(machine.spec.driver, drop_in=drop_in)
    given = machine.endpoint is not None and machine.endpoint.given
    word = its_word(seen.state, given=given) if drop_in else str(seen.state)
    if drop_in and (seen.timed_out or seen.unanswered):
        word = "Timeout" if seen.timed_out else "Error"
    shown = word
    if seen.recorded and not (drop_in and seen.asked):
        shown += f" ({age((time.time() if now is None else now) - machine.state_at)} ago)"
    if drop_in and seen.timed_out:
        return Row(seen, driver, False, word, word, word, "", "", "", blank=True)
    url = machine.url if has_endpoint(str(seen.state)) else ""
    engine = seen.engine if seen.engine is not None else machine.engine if seen.recorded else None
    return Row(
        seen=seen,
        driver=driver,
        active=bool(url) and url == docker_host,
        state=word,
        shown_state=shown,
        confirmed=word if drop_in or not seen.unanswered else "Timeout" if seen.timed_out else "",
        url=url,
        docker=docker_version(engine),
        trouble=renamed(trouble) if drop_in else trouble,
    )


def default_table(rows: Sequence[Row]) -> str:
    """The table that ``ls`` draws when nobody says how."""
    return aligned([HEADERS, *[_cells(each) for each in rows]])


def wide_table(rows: Sequence[Row]) -> str:
    """The same, with what else people look for."""
    lines: list[tuple[str, ...]] = [(*HEADERS[:-1], *_WIDE, HEADERS[-1])]
    for each in rows:
        machine = each.seen.machine
        created = f"{age(time.time() - machine.created_at)} ago"
        cells = _cells(each)
        billed = each.seen.offering or Offering()
        offering = (billed.type or "-", billed.zone or billed.region or "-", billed.market or "-")
        price = shown_price(each.seen.cost, recorded=each.seen.recorded)
        system = str(machine.facts.get("os", ""))
        lines.append((*cells[:-1], machine.address or "", system, *offering, price, created, cells[-1]))
    return aligned(lines)


def shown_price(cost: Cost | None, *, recorded: bool) -> str:
    """What an hour costs, for people: with its age where nobody has just said so."""
    if cost is None:
        return "-"
    if cost.hourly is None:
        return "unknown"
    price = f"${cost.hourly}/h" if cost.currency == "USD" else f"{cost.hourly} {cost.currency}/h"
    if cost.at is None or (cost.current and not recorded):
        return price
    return f"{price} ({age(time.time() - cost.at)} ago)"


def unknown_prices(rows: Sequence[Row]) -> list[str]:
    """Why prices are not known, or not known any better: one line for each reason."""
    lines = []
    for each in rows:
        cost, billed = each.seen.cost, each.seen.offering
        if cost is not None and billed is not None and cost.why_unknown:
            where = billed.zone or billed.region
            lines.append(f"the price of {billed.type} in {where} is not known: {cost.why_unknown}")
    return list(dict.fromkeys(lines))


def _cells(each: Row) -> tuple[str, ...]:
    machine = each.seen.machine
    active = "" if each.blank else "*" if each.active else "-"
    return (machine.name, active, each.driver, each.shown_state, each.url, "", each.docker, each.trouble)


@dataclass(frozen=True, slots=True)
class Format:
    """A ``--format`` that was understood."""

    template: Template
    table: bool

    def render(self, rows: Sequence[Row], *, whole_states: bool = True) -> str:
        """The list as the template has it.

        Args:
            whole_states: the age of a state that is not observed is part of it.
        """
        items = [_item(each, each.shown_state if whole_states else each.state) for each in rows]
        if not self.table:
            return "".join([self.template.render(item) for item in items])
        headers = {name: Header(text) for name, text in zip(_FIELDS, _HEADERS, strict=True)}
        text = "".join([self.template.render(item) for item in (headers, *items)])
        return aligned([line.split("\t") for line in text.removesuffix("\n").split("\n")])


def parse_format(text: str) -> Format:
    """A format as docker-machine takes it apart: "table" before it, ``\\t`` and ``\\n`` in it.

    Raises:
        TemplateError: it is no template.
    """
    table = text.startswith("table")
    text = text.removeprefix("table").strip(" ").replace("\\t", "\t").replace("\\n", "\n")
    return Format(Template(text + "\n"), table)


def _item(each: Row, state: str) -> Struct:
    """The item of the list as docker-machine's templates know it."""
    machine = each.seen.machine
    engine = {_GO_NAMES.get(name, name): value for name, value in engine_options(machine.spec.engine).items()}
    number = WORDS.index(each.state) if each.state in WORDS else its_number(each.seen.state)
    values: Mapping[str, Any] = {
        "Name": machine.name,
        "Active": _cells(each)[1],
        "ActiveHost": each.active,
        "ActiveSwarm": False,
        "DriverName": each.driver,
        "State": Named("state.State", number, state),
        "URL": each.url,
        "SwarmOptions": Struct("*swarm.Options", swarm_options()),
        "Swarm": "",
        "EngineOptions": Struct("*engine.Options", engine),
        "Error": each.trouble,
        "DockerVersion": each.docker,
        "ResponseTime": duration(each.seen.seconds),
    }
    return Struct("commands.HostListItem", {name: values[name] for name in _FIELDS})


def duration(seconds: float) -> Named:
    """A span of time as Go's time.Duration, in whole milliseconds."""
    milliseconds = round(seconds * 1000)
    whole, rest = divmod(milliseconds, 1000)
    minutes, whole = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    if milliseconds < 1000:
        text = f"{milliseconds}ms" if milliseconds else "0s"
    else:
        fraction = f".{rest:03d}".rstrip("0").rstrip(".")
        text = (f"{hours}h" if hours else "") + (f"{minutes}m" if hours or minutes else "") + f"{whole}{fraction}s"
    nanoseconds = milliseconds * 1_000_000
    spans = {"Hours": 3600.0, "Minutes": 60.0, "Seconds": 1.0}
    methods = {name: milliseconds / 1000 / span for name, span in spans.items()}
    return Named(
        "time.Duration",
        nanoseconds,
        text,
        {**methods, "Milliseconds": milliseconds, "Nanoseconds": nanoseconds, "String": text},
    )
