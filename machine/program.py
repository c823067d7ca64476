"""Under which name this program runs: ``pymachine``, or ``docker-machine`` for scripts that were written for that.

A link of that name to the command is all there is to it. Standard library only, and little of it: the hot path asks.
"""

from __future__ import annotations

import os
import sys

NAME = "pymachine"
DROP_IN = "docker-machine"


def is_drop_in() -> bool:
    """Whether this is docker-machine to whoever called it."""
    return os.path.basename(sys.argv[0]).removesuffix(".exe") == DROP_IN


def name() -> str:
    """The name for hints, to be typed again."""
    return DROP_IN if is_drop_in() else NAME
