"""What machines cost and what was taken away: in ``ls -o wide|json`` and ``inspect``; under both names."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from machine.driver import Price
from machine.errors import DriverError
from machine.model import Instance, Observation, Offering, State
from machine.store.store import Store
from tests.conformance.conftest import Fleet, Program, _Provider

SMALL = Offering(type="small", region="north", zone="north-1", market="on-demand")
BIG = Offering(type="big", region="north", market="spot")
DAY = 24 * 3600.0


class Market:
    """A provider with a price list: what it says, and what it was asked."""

    def __init__(self) -> None:
        self.offerings: dict[str, Offering] = {}  # by the instance's id; of others it says none
        self.prices: dict[Offering, Price | Callable[[], Price]] = {}
        self.details: dict[str, str] = {}
        self.asked: list[list[Offering]] = []


class Priced(_Provider):
    """In the place of a driver that knows of prices."""

    market: Market

    def observe(self, instances: Sequence[Instance]) -> list[Observation]:
        said = super().observe(instances)
        return [
            Observation(
                state=each.state,
                detail=self.market.details.get(one.id, ""),
                offering=self.market.offerings.get(one.id),
            )
            for one, each in zip(instances, said, strict=True)
        ]

    def prices(self, offerings: Sequence[Offering]) -> list[Price]:
        self.market.asked.append(list(offerings))
        said = [self.market.prices[each] for each in offerings]
        return [each if isinstance(each, Price) else each() for each in said]


@pytest.fixture
def market(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> Market:
    """Prices of two offerings; machines of the driver `cloud` have one, where a test says so."""
    made = Market()
    made.prices = {SMALL: Price(hourly="0.0104", currency="USD"), BIG: Price(hourly="0.2", currency="EUR", lasts=600.0)}
    Priced.market = made
    monkeypatch.setattr(
        "machine.driver.load_driver", lambda name: (Priced if name == "cloud" else _Provider)(name, fleet)
    )
    return made


def wide(program: Program, *words: str) -> list[dict[str, str]]:
    """The table, row by row; cells are told apart by where their headers are."""
    head, *lines = program("ls", "-o", "wide", *words).out.splitlines()
    starts = [(found.start(), found[0]) for found in re.finditer(r"\S+", head)]
    ends = [start for start, _ in starts[1:]] + [None]
    return [{name: line[start:end].strip() for (start, name), end in zip(starts, ends, strict=True)} for line in lines]


def test_wide_says_type_place_market_and_price_and_a_dash_where_nobody_says(
    program: Program, fleet: Fleet, market: Market
) -> None:
    fleet.add("h1")
    fleet.add("h2")
    fleet.add("h3", driver="other")
    market.offerings = {"h1": SMALL, "h2": BIG}
    columns = ("TYPE", "PLACE", "MARKET", "PRICE")
    assert [[row[each] for each in columns] for row in wide(program)] == [
        ["small", "north-1", "on-demand", "$0.0104/h"],
        ["big", "north", "spot", "0.2 EUR/h"],
        ["-", "-", "-", "-"],
    ]


def test_fifty_machines_of_a_type_are_one_question_a_day(
    program: Program, fleet: Fleet, market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(50):
        fleet.add(f"h{number}")
        market.offerings[f"h{number}"] = SMALL
    assert {row["PRICE"] for row in wide(program)} == {"$0.0104/h"}
    assert {row["PRICE"] for row in wide(program)} == {"$0.0104/h"}
    assert market.asked == [[SMALL]]
    now = time.time()
    monkeypatch.setattr("machine.operations.pricing.time.time", lambda: now + DAY + 60)
    wide(program)
    assert market.asked == [[SMALL], [SMALL]]


@pytest.mark.parametrize("words", [(), ("-q",), ("-f", "{{.Name}}"), ("-o", "name"), ("--filter", "state=Running")])
def test_no_other_list_asks_for_a_price(program: Program, fleet: Fleet, market: Market, words: tuple[str, ...]) -> None:
    fleet.add("h1")
    market.offerings = {"h1": SMALL}
    assert program("ls", *words).code == 0
    assert market.asked == []


def test_recorded_and_inspect_show_what_is_noted_with_its_age_and_ask_nobody(
    program: Program, fleet: Fleet, market: Market, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    made(store, fleet, "h1", SMALL)
    assert wide(program, "--recorded")[0]["PRICE"] == "unknown"
    assert price(program, "h1") == {
        "Hourly": "", "Currency": "", "Since": None, "Why": "nobody has asked for it yet: ls -o wide does",
    }  # fmt: skip
    market.offerings = {"h1": SMALL}
    wide(program)
    asked, said = list(fleet.asked), time.time()
    monkeypatch.setattr("time.time", lambda: said + 3 * 3600)
    assert wide(program, "--recorded")[0]["PRICE"] == "$0.0104/h (3h ago)"
    noted = price(program, "h1")
    assert (noted["Hourly"], noted["Currency"], noted["Why"]) == ("0.0104", "USD", "")
    assert noted["Since"] == pytest.approx(said, abs=60)
    assert (fleet.asked, market.asked) == (asked, [[SMALL]])


def test_a_price_that_is_not_known_says_why_and_is_asked_for_again(
    program: Program, fleet: Fleet, market: Market
) -> None:
    fleet.add("h1")
    market.offerings = {"h1": SMALL}
    market.prices[SMALL] = Price(hourly=None, why_unknown="no permission", lasts=0.0)
    said = program("ls", "-o", "wide")
    assert said.err == "the price of small in north-1 is not known: no permission\n"
    assert "unknown" in said.out
    (document,) = json.loads(program("ls", "-o", "json").out)
    assert document["price"]["hourly"] is None
    assert document["price"]["why_unknown"] == "no permission"
    assert market.asked == [[SMALL], [SMALL]]


def test_a_price_that_was_known_is_shown_with_its_age_when_the_list_fails_later(
    program: Program, fleet: Fleet, market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet.add("h1")
    market.offerings = {"h1": SMALL}
    wide(program)
    now = time.time()
    monkeypatch.setattr("time.time", lambda: now + 49 * 3600)
    market.prices[SMALL] = Price(hourly=None, why_unknown="no answer", lasts=60.0)
    said = program("ls", "-o", "wide")
    assert "$0.0104/h (2d ago)" in said.out
    assert said.err == "the price of small in north-1 is not known: no answer\n"
    assert "$0.0104/h (2d ago)" in program("ls", "-o", "wide").out
    assert len(market.asked) == 2


def test_a_price_list_that_hangs_delays_no_list_past_its_time_and_hides_no_state(
    program: Program, fleet: Fleet, market: Market
) -> None:
    over = threading.Event()

    def hang() -> Price:
        over.wait(60)
        return Price(hourly="1")

    fleet.add("h1", State.RUNNING, says=State.STOPPED, engine=None)
    market.offerings = {"h1": SMALL}
    market.prices[SMALL] = hang
    begun = time.monotonic()
    said = program("ls", "-o", "wide", "-t", "0.3")
    took = time.monotonic() - begun
    over.set()
    assert took < 5
    assert re.search(r"^h1 +- +cloud +Stopped  ", said.out, re.MULTILINE)
    assert said.err == "the price of small in north-1 is not known: no answer in 0.3 s\n"


@pytest.mark.parametrize("error", [DriverError("out of order"), ZeroDivisionError("by zero")])
def test_a_price_list_that_fails_takes_no_state_down(
    program: Program, fleet: Fleet, market: Market, error: Exception
) -> None:
    def fail() -> Price:
        raise error

    fleet.add("h1")
    market.offerings = {"h1": SMALL}
    market.prices[SMALL] = fail
    said = program("ls", "-o", "wide")
    assert re.search(r"^h1 +- +cloud +Running  .*unknown", said.out, re.MULTILINE)
    assert str(error) in said.err


def test_where_the_provider_fails_the_price_is_the_noted_one(
    program: Program, fleet: Fleet, market: Market, store: Store
) -> None:
    made(store, fleet, "h1", SMALL)
    market.offerings = {"h1": SMALL}
    wide(program)
    fleet.says["h1"] = "out of order"
    said = program("ls", "-o", "wide")
    assert "$0.0104/h (0s ago)" in said.out
    assert market.asked == [[SMALL]]


def test_json_and_yaml_have_the_fields_too(program: Program, fleet: Fleet, market: Market) -> None:
    fleet.add("h1")
    fleet.add("h2", driver="other")
    market.offerings = {"h1": SMALL}
    first, second = json.loads(program("ls", "-o", "json").out)
    assert [first[each] for each in ("type", "region", "zone", "market")] == ["small", "north", "north-1", "on-demand"]
    assert (first["price"]["hourly"], first["price"]["currency"]) == ("0.0104", "USD")
    assert [second[each] for each in ("type", "region", "zone", "market", "price")] == [None] * 5


def test_what_is_over_costs_nothing_and_is_not_asked_about(program: Program, fleet: Fleet, market: Market) -> None:
    fleet.add("h1", State.GONE, engine=None)
    market.offerings = {"h1": SMALL}
    assert wide(program)[0]["PRICE"] == "-"
    assert market.asked == []


def test_inspect_says_of_a_spot_machine_that_and_why_it_was_taken_away(
    program: Program, fleet: Fleet, market: Market, store: Store
) -> None:
    made(store, fleet, "h1", BIG)
    assert shown(program, "h1")["Spot"] == {"IsSpot": True, "Preempted": ""}
    fleet.says["h1"] = State.PREEMPTED
    market.details["h1"] = "taken at noon: no capacity"
    assert "taken at noon: no capacity" in program("ls").out
    assert shown(program, "h1")["Spot"] == {"IsSpot": True, "Preempted": "taken at noon: no capacity"}
    assert "taken at noon: no capacity" in program("ls", "--recorded").out
    # The provider forgets it.
    fleet.says["h1"] = State.GONE
    market.details.clear()
    assert "taken at noon: no capacity" in program("ls").out
    assert shown(program, "h1")["State"] == "Preempted"


def test_inspect_of_a_machine_without_prices_has_the_fields_and_nothing_in_them(
    program: Program, fleet: Fleet, market: Market
) -> None:
    fleet.add("h1", driver="other")
    seen = shown(program, "h1")
    assert seen["Offering"] == {"Type": "", "Region": "", "Zone": "", "Market": ""}
    assert seen["Price"] == {"Hourly": "", "Currency": "", "Since": None, "Why": ""}
    assert seen["Spot"] == {"IsSpot": False, "Preempted": ""}


def made(store: Store, fleet: Fleet, name: str, offering: Offering) -> None:
    """A machine whose driver has said at its create what it is billed as."""
    import dataclasses

    machine = fleet.add(name)
    assert machine.instance is not None
    entry = store.journal.begin(machine, "start")
    data = {"offering": dataclasses.asdict(offering)}
    store.journal.record_instance(entry, dataclasses.replace(machine.instance, data=data))
    store.journal.finish(entry, state=State.RUNNING)


def price(program: Program, name: str) -> Any:
    return shown(program, name)["Price"]


def shown(program: Program, name: str) -> Any:
    return json.loads(program("inspect", name).out)
