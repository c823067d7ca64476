from __future__ import annotations

import pytest

from machine.errors import MachineNotFound, UsageError
from machine.operations.selection import Selector, parse_labels, select
from machine.store.store import Store
from tests.unit.specs import add_machine


@pytest.fixture
def shop(store: Store) -> Store:
    """Two groups of a fleet, and a machine that was made by hand."""
    for name, group, labels in (
        ("web-1", "web", {"role": "web", "canary": "yes"}),
        ("web-2", "web", {"role": "web"}),
        ("db-1", "db", {"role": "db"}),
    ):
        add_machine(store, name, fleet="shop", group=group, labels=labels)
    add_machine(store, "Webmaster")
    return store


def names(store: Store, *said: str, **more: object) -> list[str]:
    return [each.name for each in select(store, Selector(names=said, **more))]  # type: ignore[arg-type]


def test_names_are_taken_in_their_order_and_each_once(shop: Store) -> None:
    assert names(shop, "web-2", "db-1", "WEB-2") == ["web-2", "db-1"]


def test_a_pattern_matches_names_ignoring_case(shop: Store) -> None:
    assert names(shop, "web*") == ["web-1", "web-2", "Webmaster"]
    assert names(shop, "web-[12]") == ["web-1", "web-2"]
    assert names(shop, "db-?", "Webmaster") == ["db-1", "Webmaster"]


def test_fleet_group_and_labels_must_all_hold(shop: Store) -> None:
    assert names(shop, fleet="shop") == ["db-1", "web-1", "web-2"]
    assert names(shop, fleet="shop", group="web") == ["web-1", "web-2"]
    assert names(shop, labels={"role": "web", "canary": None}) == ["web-1"]
    assert names(shop, "*-2", group="web") == ["web-2"]


def test_nothing_that_is_meant_is_an_error_and_says_what_was_said(shop: Store) -> None:
    with pytest.raises(MachineNotFound, match="--fleet shop --label role=cache"):
        names(shop, fleet="shop", labels={"role": "cache"})
    with pytest.raises(MachineNotFound, match="no machine is meant by mail-"):
        names(shop, "mail-*")


@pytest.mark.parametrize(
    ("said", "hint"),
    [
        ({"fleet": "shopp"}, "did you mean --fleet shop?"),
        ({"fleet": "shop", "group": "wep"}, "did you mean --group web?"),
        ({"labels": {"rol": "web"}}, "did you mean --label role?"),
        ({"group": "mail"}, "see them all: pymachine ls -o wide"),
        ({"group": "web", "labels": {"role": "db"}}, "see them all: pymachine ls -o wide"),  # both are there
    ],
)
def test_what_is_nearly_a_name_is_named(shop: Store, said: dict[str, object], hint: str) -> None:
    with pytest.raises(MachineNotFound) as raised:
        names(shop, **said)
    assert raised.value.hint == hint


def test_an_unknown_name_among_patterns_is_an_error(shop: Store) -> None:
    with pytest.raises(MachineNotFound, match='no machine "web-3"'):
        names(shop, "web-3", "db-*")


def test_labels_are_written_with_or_without_a_value() -> None:
    assert parse_labels(["role=web", "canary", "note=a=b"]) == {"role": "web", "canary": None, "note": "a=b"}
    with pytest.raises(UsageError, match="'=web' is not a label"):
        parse_labels(["=web"])
