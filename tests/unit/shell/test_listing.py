"""Tables, ages and the order of names."""

from __future__ import annotations

import pytest

from machine.shell.listing import age, aligned, natural_key, table


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
    assert sorted(["a01", "a1", "a001", "a2"], key=natural_key) == ["a1", "a01", "a001", "a2"]


@pytest.mark.parametrize(
    ("lines", "text"),
    [
        ([], ""),
        (["a\tb"], "a    b\n"),
        (["abc\tb", "a\tbc"], "abc   b\na     bc\n"),
        (["a\tb\t", "a\tlonger\tc"], "a    b        \na    longer   c\n"),
        (["long-long\tx", "no cell", "a\tb"], "long-long   x\nno cell\na    b\n"),
        (["\t\tx", "ab\tcd\t"], "          x\nab   cd   \n"),
        (["é\tb", "long\tb"], "é      b\nlong   b\n"),
    ],
)
def test_cells_are_aligned_as_gos_tabwriter_does(lines: list[str], text: str) -> None:
    assert aligned([line.split("\t") for line in lines]) == text


def test_a_line_of_many_cells_is_no_trouble() -> None:
    assert aligned([["x"] * 3000]) == "x    " * 2999 + "x\n"
