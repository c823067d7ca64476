"""The one way this driver runs other programs: a list of arguments, no shell, and errors that say what was said."""

from __future__ import annotations

import logging
import os
import subprocess
from collections.abc import Sequence

from machine.errors import DriverError

_log = logging.getLogger(__name__)

# Programs of the system administrator are not on every PATH (cron, sudo with a short secure_path).
_PATHS = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def environment(**more: str) -> dict[str, str]:
    """The environment of our children: messages in English, administrator's programs found."""
    path = os.environ.get("PATH", "")
    return {**os.environ, "LC_ALL": "C", "PATH": f"{path}:{_PATHS}" if path else _PATHS, **more}


def run(arguments: Sequence[str], *, doing: str, input: str | None = None) -> str:
    """Run a program to its end.

    Args:
        arguments: the program and its arguments.
        doing: what it is for, in the user's words; completes "cannot …".
        input: what it reads.

    Returns:
        What it wrote on standard output.

    Raises:
        DriverError: it is missing or failed; ``cause`` is what it said.
    """
    try:
        done = subprocess.run(
            arguments, input=input, capture_output=True, text=True, errors="replace", env=environment(), check=False
        )
    except OSError as error:
        raise DriverError(f"cannot {doing}", cause=f"{arguments[0]}: {error.strerror}") from error
    _log.debug("%s: exit status %s", " ".join(arguments), done.returncode)
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip() or f"exit status {done.returncode}"
        raise DriverError(f"cannot {doing}", cause=f"{arguments[0]}: {said}")
    return done.stdout


def succeeds(arguments: Sequence[str]) -> bool:
    """Whether a program that answers by its exit status says yes."""
    done = subprocess.run(
        arguments, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env=environment(), check=False,
    )  # fmt: skip
    return done.returncode == 0
