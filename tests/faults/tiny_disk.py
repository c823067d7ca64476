"""A file system of a few kilobytes, in memory, that can be made larger: a full disk, and one with room again."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


class TinyDisk:
    """What is mounted on a directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def resize(self, size: int) -> None:
        """Make it this large, in bytes."""
        subprocess.run(["mount", "-o", f"remount,size={size}", str(self.directory)], check=True)


@contextmanager
def tiny_disk(directory: Path, size: int) -> Iterator[TinyDisk]:
    """Mount one on a directory, which is made; skips the test where nothing can be mounted."""
    directory.mkdir(parents=True)
    line = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "tmpfs", str(directory)]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"cannot mount: {done.stderr.strip()}")
    try:
        yield TinyDisk(directory)
    finally:
        subprocess.run(["umount", str(directory)], check=True)
