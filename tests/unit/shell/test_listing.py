"""Tables, ages and the order of names."""

from __future__ import annotations

import pytest

from machine.shell.listing import age, natural_key, table


def test_columns_are_as_wide_as_their_widest_cell_and_three_apart() -> None:
    printed = table(("NAME", "URL"), [("a", "tcp://192.0.2.7:2376"), ("a-long-name", "")])
    assert printed.splitlines() == [
        "NAME          URL",
        "a             tcp://192.0.2.7:2376",
        "a-long-name",
    ]


def test_a_table_of_nothing_is_its_headers() -> None:
    assert table(("NAME", "URL"), []) == "NAME   URL\n"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-5, "0s"), (0, "0s"), (59.9, "59s"), (60, "1m"), (3599, "59m"), (3600, "1h"), (172799, "47h"), (172800, "2d")],
)
def test_an_age_is_said_as_people_say_it(seconds: float, text: str) -> None:
    assert age(seconds) == text


def test_names_are_in_the_order_people_expect() -> None:
    names = ["web10", "Web2", "web1", "web", "a1b10", "a1b9", "10", "9", "db"]
    assert sorted(names, key=natural_key) == ["9", "10", "a1b9", "a1b10", "db", "web", "web1", "Web2", "web10"]
