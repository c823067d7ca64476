"""The table of `make bench` says what is over its bar."""

from __future__ import annotations

import pytest

from benchmarks.row import HEADERS, Row, line


@pytest.mark.parametrize(
    ("row", "value", "ok"),
    [
        (Row(case="x", samples=[1, 9, 2], limit_samples=[1, 1, 7], unit="s", bar=2.0), 2.0, True),
        (Row(case="x", samples=[2.1], limit_samples=[1], unit="s", bar=2.0), 2.1, False),
        (Row(case="x", samples=[90], limit_samples=[100], unit="MB/s", bar=0.8, at_least=True), 0.9, True),
        (Row(case="x", samples=[70], limit_samples=[100], unit="MB/s", bar=0.8, at_least=True), 0.7, False),
        (Row(case="x", samples=[14], limit_samples=[12], unit="ms", bar=2.0, difference=True), 2, True),
        (Row(case="x", samples=[15], limit_samples=[12], unit="ms", bar=2.0, difference=True), 3, False),
        (Row(case="x", samples=[1], unit="", bar=1), 1, True),
        (Row(case="x", samples=[1], unit="", bar=0), 1, False),
    ],
)
def test_a_row_compares_the_medians_with_its_bar(row: Row, value: float, ok: bool) -> None:
    assert (row.value, row.ok) == (value, ok)
    assert row.cells()[-1] == ("ok" if ok else "OVER")
    assert row.as_json()["ok"] is ok


def test_every_line_has_the_columns_of_the_headers() -> None:
    cells = Row(case="docker ps", samples=[14], limit="dockerd", limit_samples=[12], unit="ms", bar=2.0).cells()
    assert line(HEADERS).index("limit") == line(cells).index("dockerd")
