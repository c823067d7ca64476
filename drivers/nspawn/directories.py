"""Directories that only root may enter, and removing a machine's files whole."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

from machine.errors import DriverError


def make_private(path: Path) -> None:
    """Make a directory and the missing ones above it, each for root alone."""
    while not path.is_dir():
        make_private(path.parent)
        # Another process may make it, or remove the one above it when it was the last to leave: once more, then.
        with contextlib.suppress(FileExistsError, FileNotFoundError):
            path.mkdir(mode=0o700)


def remove_tree(path: Path) -> None:
    """Remove a directory with all that is in it; never follows a link; already gone is fine.

    Raises:
        DriverError: something in it cannot be removed.
    """
    try:
        shutil.rmtree(path)
    except FileNotFoundError:
        if path.exists():  # something vanished while we walked: once more
            remove_tree(path)
    except OSError as error:
        raise DriverError(
            f"cannot remove {path}",
            cause=f"{error.filename}: {error.strerror}",
            hint=f"if a file in it is immutable: chattr -R -i {path}, then again",
        ) from error


def remove_if_empty(path: Path, *, up_to: Path) -> None:
    """Remove a directory and those above it as long as they are empty, not further than (and not) ``up_to``."""
    while path != up_to and up_to in path.parents:
        try:
            os.rmdir(path)
        except OSError:
            return
        path = path.parent
