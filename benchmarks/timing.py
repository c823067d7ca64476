"""Things done in turns: what else the computer does meets all of them alike."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Mapping, Sequence


def interleaved(turns: int, cases: Mapping[str, Callable[[], float]]) -> dict[str, list[float]]:
    """Call each once per turn, in each turn another one first; what they return, by name."""
    samples: dict[str, list[float]] = {name: [] for name in cases}
    names = list(cases)
    for turn in range(turns):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
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
        subprocess.CalledProcessError: it failed; ``stderr`` is what it said.
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
