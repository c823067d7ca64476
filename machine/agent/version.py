"""The agent's version; a host keeps the newer of two. The same number as the distribution's (a test compares them)."""

from __future__ import annotations

VERSION = "0.1.0"


def newer(one: str, other: str) -> bool:
    """Whether version ``one`` is newer than ``other``; what cannot be read counts as oldest."""
    return _parts(one) > _parts(other)


def _parts(version: str) -> tuple[int, ...]:
    numbers: list[int] = []
    for part in version.split("."):
        digits = ""
        for character in part:
            if not character.isdecimal():  # ² is a digit to Python, and no number
                break
            digits += character
        if not digits:
            break
        numbers.append(int(digits))
    return tuple(numbers)
