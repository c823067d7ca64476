"""Things done in turns: what else the computer does meets all of them alike."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Mapping, Sequence


def interleaved(turns: int, cases: Mapping[str, Callable[[], float]]) -> dict[str, list[float]]:
    """Call each once per turn, every other turn in the opposite order; what they return, by name."""
    samples: dict[str, list[float]] = {name: [] for name in cases}
    for turn in range(turns):
        for name in list(cases)[:: -1 if turn % 2 else 1]:
            samples[name].append(cases[name]())
    return samples


def timed(
    command: Sequence[str], *, environ: Mapping[str, str] | None = None, stdin: str = "/dev/null", scale: float = 1.0
) -> float:
    """Run a command to its end; seconds × ``scale``.

    Args:
        environ: its whole environment.
        stdin: a file.

    Raises:
        subprocess.CalledProcessError: it failed; what it said is in the message of `explain`.
    """
    with open(stdin, "rb") as source:
        begun = time.perf_counter()
        done = subprocess.run(
            command, env=environ, stdin=source, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False
        )
        seconds = time.perf_counter() - begun
    if done.returncode:
        raise subprocess.CalledProcessError(done.returncode, list(command), stderr=done.stderr)
    return seconds * scale
