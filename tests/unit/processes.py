"""Other processes that run a piece of Python: many at the same moment, or in a mount namespace of their own."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator, Sequence
from textwrap import dedent

SECONDS = 60


def python(code: str, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a piece of Python; what it prints is in ``stdout``."""
    return _run([sys.executable, "-c", dedent(code), *arguments], check)


def python_after(mounts: str, code: str, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a piece of Python where ``mounts`` (shell, the arguments are ``$@``) has been done; nobody else sees it."""
    line = ["unshare", "--mount", "sh", "-eu", "-c", f'{mounts}\nexec "$PYTHON" -c "$CODE" "$@"', "sh", *arguments]
    return _run(["env", f"PYTHON={sys.executable}", f"CODE={dedent(code)}", *line], check)


@contextlib.contextmanager
def started(code: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """A process that runs a piece of Python and has printed its first line; killed at the end."""
    line = [sys.executable, "-c", dedent(code), *arguments]
    process = subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        process.stdout.readline()
        yield process
    finally:
        process.kill()
        process.communicate()


def together(count: int, code: str, *arguments: str) -> list[str]:
    """Run a piece of Python in many processes, which begin when all of them are ready; what each of them printed.

    The code may use ``number``, which is another one in each process.
    """
    start = "import sys; number = int(sys.argv.pop()); print(flush=True); sys.stdin.read(1)\n"
    running = [
        subprocess.Popen(
            [sys.executable, "-c", start + dedent(code), *arguments, str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(count)
    ]
    for process in running:
        assert process.stdout is not None
        process.stdout.readline()
    for process in running:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    said = []
    for process in running:
        out, error = process.communicate(timeout=SECONDS)
        assert process.returncode == 0, error
        said.append(out)
    return said


def _run(line: Sequence[str], check: bool) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(line, capture_output=True, text=True, timeout=SECONDS, check=False)
    if check:
        assert done.returncode == 0, done.stderr
    return done
