"""One row of the table: what was measured, its limit, and whether it holds."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

HEADERS = ("case", "median", "limit, in the same run", "median", "", "bar", "")
_WIDTHS = (34, 10, 40, 10, 8, 9, 4)
_LEFT = (0, 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Samples of a case and of its limit. Without a limit the bar is absolute."""

    case: str
    samples: Sequence[float]
    limit: str = ""
    limit_samples: Sequence[float] = ()
    unit: str  # s, ms, MB/s, MB, %, or none
    bar: float
    difference: bool = False  # the bar is on median minus limit's median, not on their ratio
    at_least: bool = False  # the bar is a least value

    @property
    def median(self) -> float:
        """Of the case."""
        return statistics.median(self.samples)

    @property
    def limit_median(self) -> float | None:
        """Of the limit."""
        return statistics.median(self.limit_samples) if self.limit_samples else None

    @property
    def value(self) -> float:
        """What is held against the bar."""
        limit = self.limit_median
        if limit is None:
            return self.median
        return self.median - limit if self.difference else self.median / limit

    @property
    def ok(self) -> bool:
        """Whether the bar is met."""
        return self.value >= self.bar if self.at_least else self.value <= self.bar

    def cells(self) -> tuple[str, ...]:
        """As the table shows it."""
        limit = self.limit_median
        unit = f" {self.unit}" if self.unit else ""
        value = bar = ""
        if limit is None:
            bar = f"{self.bar:g}{unit}"
        elif self.difference:
            value, bar = f"{self.value:+.1f}{unit}", f"{self.bar:g}{unit}"
        else:
            value, bar = f"{self.value:.2f}", f"{self.bar:.1f}" if self.bar == round(self.bar, 1) else f"{self.bar:g}"
        return (
            self.case,
            _number(self.median) + unit,
            self.limit,
            "" if limit is None else _number(limit) + unit,
            value,
            ("≥ " if self.at_least else "≤ ") + bar,
            "ok" if self.ok else "OVER",
        )

    def as_json(self) -> dict[str, object]:
        """All of it, the samples too."""
        return {
            "case": self.case,
            "unit": self.unit,
            "median": self.median,
            "samples": list(self.samples),
            "limit": self.limit,
            "limit_median": self.limit_median,
            "limit_samples": list(self.limit_samples),
            "value": self.value,
            "value_is": "difference" if self.difference else "ratio" if self.limit_samples else "absolute",
            "bar": self.bar,
            "at_least": self.at_least,
            "ok": self.ok,
        }


def line(cells: Sequence[str]) -> str:
    """A line of the table."""
    aligned = [
        f"{cell:<{width}}" if place in _LEFT else f"{cell:>{width}}"
        for place, (cell, width) in enumerate(zip(cells, _WIDTHS, strict=True))
    ]
    return "  ".join(aligned).rstrip()


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 100 or value == int(value) else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
