"""What a command takes of this computer while it runs: time, processor time, memory; its children included."""

from __future__ import annotations

import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_EVERY_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Usage:
    """Of one command, from its start to its end."""

    seconds: float
    cpu: float  # seconds of a processor, its own and those of the children that it waited for
    megabytes: float  # the most at any look: the proportional set size of all its processes; 0: nobody looked


def used(
    command: Sequence[str],
    *,
    environ: Mapping[str, str],
    directory: Path | None = None,
    memory: bool = True,
    output: Path | None = None,
) -> Usage:
    """Run a command to its end.

    Args:
        environ: its whole environment.
        directory: where it runs.
        memory: look at its memory, too; with many processes that costs what it measures.
        output: a file for what it prints; it is not kept otherwise.

    Raises:
        subprocess.CalledProcessError: it failed; ``stderr`` is the end of what it said.
    """
    with tempfile.TemporaryFile() if output is None else output.open("w+b") as said:
        begun = time.perf_counter()
        process = subprocess.Popen(
            command, env=environ, cwd=directory, stdin=subprocess.DEVNULL, stdout=said, stderr=subprocess.STDOUT
        )
        over, most = threading.Event(), [0.0]
        watcher = threading.Thread(target=_watch, args=(process.pid, over, most))
        if memory:
            watcher.start()
        try:
            _, status, resources = os.wait4(process.pid, 0)
            seconds = time.perf_counter() - begun
        except BaseException:
            process.kill()
            process.wait()
            raise
        finally:
            over.set()
            if memory:
                watcher.join()
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            said.seek(0)
            text = said.read().decode(errors="replace")[-4000:]
            raise subprocess.CalledProcessError(process.returncode, list(command), stderr=text)
    return Usage(seconds, resources.ru_utime + resources.ru_stime, most[0])


def _watch(pid: int, over: threading.Event, most: list[float]) -> None:
    while not over.wait(_EVERY_SECONDS):
        most[0] = max(most[0], tree_megabytes(pid))


def tree_megabytes(pid: int) -> float:
    """Proportional set size of a process and of all below it."""
    total, left = 0.0, [pid]
    while left:
        each = left.pop()
        try:
            rollup = Path(f"/proc/{each}/smaps_rollup").read_text()
            total += next(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:")) * 1024 / 1e6
            for task in Path(f"/proc/{each}/task").iterdir():
                left += map(int, (task / "children").read_text().split())
        except (OSError, StopIteration):
            continue  # it has ended
    return total
