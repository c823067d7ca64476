"""One line per thing worth knowing, to the journal: standard error, with the priority systemd reads."""

from __future__ import annotations

import os
import time

from machine.agent.text import printable

ERROR, WARNING, NOTICE, INFO = 3, 4, 5, 6
_BURST, _PER_SECOND = 100, 1.0  # a scanner on the port must not fill the disk


class _Budget:
    tokens = float(_BURST)
    at = 0.0
    withheld = 0


def log(priority: int, text: str) -> None:
    """Write one line; what is too much is counted and said later, what cannot be written is dropped."""
    now = time.monotonic()
    _Budget.tokens = min(_BURST, _Budget.tokens + (now - _Budget.at) * _PER_SECOND)
    _Budget.at = now
    if _Budget.tokens < 1:
        _Budget.withheld += 1
        return
    _Budget.tokens -= 1
    if _Budget.withheld:
        text += f" (and {_Budget.withheld} lines before it were withheld)"
        _Budget.withheld = 0
    try:
        os.write(2, f"<{priority}>{printable(text)}\n".encode())
    except OSError:
        pass  # a journal that is full or gone is no reason to stop serving
