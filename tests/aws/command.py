"""The command as an operator runs it: a process of its own, and both of its streams."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Said:
    """How it ended and what it said."""

    code: int
    out: str
    err: str

    @property
    def all(self) -> str:
        return self.out + self.err


@dataclass
class Command:
    """Runs command lines on one store."""

    store: Path

    def __call__(self, *arguments: str, code: int = 0, environ: Mapping[str, str | None] = {}) -> Said:
        """Run one.

        Args:
            environ: further variables; None: without that one.
        """
        variables = {key: value for key, value in {**os.environ, **environ}.items() if value is not None}
        done = subprocess.run(
            [sys.executable, "-m", "machine.cli", "-s", str(self.store), *arguments],
            env=variables,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        said = Said(done.returncode, done.stdout, done.stderr)
        assert said.code == code, said
        assert "Traceback" not in said.all, said
        return said
