"""Tables and ages for people. No import: the hot path prints with this."""

from __future__ import annotations

HEADERS = ("NAME", "ACTIVE", "DRIVER", "STATE", "URL", "DOCKER", "ERRORS")
_PAD = 3


def table(headers: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """Columns as wide as their widest cell, three spaces apart, no trailing space."""
    everything = [headers, *rows]
    widths = [max(map(len, column)) + _PAD for column in zip(*everything, strict=True)]
    form = "".join(f"%-{width}s" for width in widths)
    return "".join([(form % row).rstrip() + "\n" for row in everything])


def age(seconds: float) -> str:
    """A span as people say it: 40s, 5m, 3h, 12d."""
    if seconds < 60:
        return f"{max(int(seconds), 0)}s"
    if seconds < 3600:
        return f"{int(seconds // 60)}m"
    if seconds < 48 * 3600:
        return f"{int(seconds // 3600)}h"
    return f"{int(seconds // 86400)}d"


def natural_key(name: str) -> list[tuple[int, int, str]]:
    """A key that sorts web2 before web10 and digits before letters, ignoring case."""
    parts: list[tuple[int, int, str]] = []
    digits = text = ""
    for char in name.lower():
        if char.isdecimal():
            digits += char
            if text:
                parts.append((1, 0, text))
                text = ""
        else:
            text += char
            if digits:
                parts.append((0, int(digits), ""))
                digits = ""
    parts.append((0, int(digits), "") if digits else (1, 0, text))
    return parts
