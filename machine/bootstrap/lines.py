"""What a host says, made harmless: JSON lines of bounded size, text without control characters.

A host may be hostile: nothing it sends can use up the operator's memory or reach the terminal as anything but text.
"""

from __future__ import annotations

import json
from typing import Any

from machine.bootstrap.channel import Channel
from machine.errors import BootstrapFailed

MAX_LINE = 256 * 1024
MAX_TOTAL = 16 * 1024 * 1024  # of one bootstrap; a long one says some 100 kB
MAX_TEXT = 2000
MAX_ITEMS = 1000
MAX_DEPTH = 8
MAX_NUMBER = 1 << 63
_PIECE = 32 * 1024


class HostLines:
    """The host's side of the conversation."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._buffer = bytearray()
        self._total = 0
        self._ended = False
        self.noise = ""  # what came before the first JSON line: a login shell's greeting, or its refusal

    def next(self) -> dict[str, Any] | None:
        """The next object; None when the host has ended.

        Raises:
            BootstrapFailed: ``protocol``: a line that is too long, too much in all, or no JSON object.
        """
        while True:
            line = self._line()
            if line is None:
                return None
            if not line.lstrip().startswith(b"{"):
                if len(self.noise) > MAX_TEXT:
                    raise _nonsense("it does not stop greeting")
                self.noise += clean(line.decode(errors="replace")) + "\n"
                continue
            try:
                value = json.loads(line)
            except (ValueError, RecursionError):
                raise _nonsense("a line that is not JSON") from None
            if not isinstance(value, dict):
                raise _nonsense("a line that is not an object")
            return {clean(name, 200): harmless(item, 1) for name, item in value.items()}

    def _line(self) -> bytes | None:
        searched = 0
        while True:
            end = self._buffer.find(b"\n", searched)
            if end >= 0:
                line = bytes(self._buffer[:end])
                del self._buffer[: end + 1]
                return line
            searched = len(self._buffer)
            if searched > MAX_LINE:
                raise _nonsense("a line without end")
            data = b"" if self._ended else self._channel.recv(_PIECE)
            if not data:
                self._ended = True
                # A last line without its end is a line that was cut.
                self.noise += clean(self._buffer.decode(errors="replace")) if not self._buffer.startswith(b"{") else ""
                self._buffer.clear()
                return None
            self._total += len(data)
            if self._total > MAX_TOTAL:
                raise _nonsense("more than it can have to say")
            self._buffer += data


def clean(text: str, limit: int = MAX_TEXT) -> str:
    """One line, printable, at most ``limit`` characters."""
    if len(text) <= limit and text.isprintable() and "  " not in text and text == text.strip():
        return text  # as nearly all are, and a host says a hundred of them
    shown = "".join(character if character.isprintable() else " " for character in text[: 4 * limit])
    shown = " ".join(shown.split())
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


def harmless(value: Any, depth: int = 0) -> Any:
    """The same JSON value with every text cleaned and every size bounded; every number fits a float and an integer.

    A PEM keeps its line ends.
    """
    if isinstance(value, str):
        if value.startswith("-----BEGIN ") and len(value) <= MAX_TEXT:
            return "\n".join(clean(line) for line in value.splitlines()) + "\n"
        return clean(value)
    if isinstance(value, (dict, list)):
        if depth >= MAX_DEPTH or len(value) > MAX_ITEMS:
            raise _nonsense("a structure without end")
        if isinstance(value, dict):
            return {clean(name, 200): harmless(item, depth + 1) for name, item in value.items()}
        return [harmless(item, depth + 1) for item in value]
    if isinstance(value, (int, float)) and not -MAX_NUMBER < value < MAX_NUMBER:  # NaN is none of the two
        raise _nonsense("a number without end")
    return value


def _nonsense(what: str) -> BootstrapFailed:
    return BootstrapFailed(
        "the host does not speak the agent's protocol",
        code="protocol",
        cause=f"it sent {what}",
        hint="look at what the account's login shell does on the host",
    )
