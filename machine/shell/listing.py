"""Tables and ages for people. No import: the hot path prints with this."""

from __future__ import annotations

HEADERS = ("NAME", "ACTIVE", "DRIVER", "STATE", "URL", "SWARM", "DOCKER", "ERRORS")  # as docker-machine's
_NARROWEST, _PAD = 5, 3


def table(headers: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """Columns as wide as their widest cell, three spaces apart, no trailing space."""
    everything = [headers, *rows]
    widths = [max(map(len, column)) + _PAD for column in zip(*everything, strict=True)]
    form = "".join(f"%-{width}s" for width in widths)
    return "".join([(form % row).rstrip() + "\n" for row in everything])


def aligned(lines: list[tuple[str, ...]] | list[list[str]]) -> str:
    """Cells in columns as Go's tabwriter sets them, with docker-machine's widths: a line's last cell is not padded.

    A column goes on as long as lines have a cell in it that is not their last: one that has fewer cells ends it.
    """
    if len(set(map(len, lines))) == 1:  # nearly always, and a quarter of the time
        *padded, _ = zip(*lines, strict=True)
        form = "".join([f"%-{max(_NARROWEST, max(map(len, column)) + _PAD)}s" for column in padded]) + "%s\n"
        return "".join([form % tuple(line) for line in lines])
    out = [list(line) for line in lines]
    for column in range(max(map(len, out), default=0)):
        start = 0
        while start < len(out):
            end, width = start, _NARROWEST
            while end < len(out) and len(out[end]) - 1 > column:
                width = max(width, len(out[end][column]) + _PAD)
                end += 1
            for line in out[start:end]:
                line[column] = line[column].ljust(width)
            start = end + 1
    return "".join(["".join(line) + "\n" for line in out])


def has_endpoint(state: str) -> bool:
    """Whether a machine in this state may answer at its URL."""
    return state not in ("Stopped", "Preempted", "Gone")


def docker_version(engine: str | None) -> str:
    """What the column DOCKER says of an engine: "docker 20.10.24" or its version alone."""
    return "v" + engine.rpartition(" ")[2] if engine else "Unknown"


def age(seconds: float) -> str:
    """A span as people say it: 40s, 5m, 3h, 12d."""
    if seconds < 60:
        return f"{max(int(seconds), 0)}s"
    if seconds < 3600:
        return f"{int(seconds // 60)}m"
    if seconds < 48 * 3600:
        return f"{int(seconds // 3600)}h"
    return f"{int(seconds // 86400)}d"


def natural_key(name: str) -> list[tuple[int, int, int | str]]:
    """A key that sorts web2 before web10, web1 before web01 and digits before letters, ignoring case."""
    parts: list[tuple[int, int, int | str]] = []
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
                parts.append((0, int(digits), len(digits)))
                digits = ""
    parts.append((0, int(digits), len(digits)) if digits else (1, 0, text))
    return parts
