"""Programs of the operator's computer that say how they were called, in the place of the real ones."""

from __future__ import annotations

from pathlib import Path

import pytest

_SCRIPT = """#!/bin/sh
{{ for word in "$@"; do printf '%s\\0' "$word"; done; }} >{log}
config=
while [ $# -gt 0 ]; do
  case $1 in -F) config=$2 ;; -e) config=${{2##*-F }} ;; esac
  shift
done
[ -z "$config" ] || cat "$config" >{log}.config
exit {code}
"""


class Programs:
    """A PATH of our own."""

    def __init__(self, directory: Path, patch: pytest.MonkeyPatch) -> None:
        self.directory = directory
        directory.mkdir()
        (directory / "python3").write_text("")
        patch.setenv("PATH", f"{directory}:/usr/bin:/bin")

    def make(self, name: str, code: int = 0) -> None:
        """A program that ends with this exit code."""
        path = self.directory / name
        path.write_text(_SCRIPT.format(log=self.directory / f"{name}.called", code=code))
        path.chmod(0o755)

    def called(self, name: str) -> list[str]:
        """The words of its command line."""
        return (self.directory / f"{name}.called").read_text().split("\0")[:-1]

    def config(self, name: str) -> str:
        """The ssh configuration it was given."""
        return (self.directory / f"{name}.called.config").read_text()


def options(words: list[str]) -> dict[str, str]:
    """What stands after each ``-o``."""
    return dict(words[place + 1].split("=", 1) for place, word in enumerate(words) if word == "-o")
