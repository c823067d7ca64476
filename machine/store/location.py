"""Where the store is. Standard library only, and little of it: the hot path asks here too.

The platform's data directory is computed as ``platformdirs.user_data_dir("pymachine", appauthor=False)`` does;
a test compares the two (importing platformdirs costs a third of what ``pymachine env`` may take).
"""

from __future__ import annotations

import os
import sys

DATABASE = "pymachine.db"
MACHINES = "machines"  # a directory of files for each


def store_directory(flag: str | None, environ: os._Environ[str] | dict[str, str], *, drop_in: bool = False) -> str:
    """The store's directory: flag, ``$PYMACHINE_HOME``, ``$MACHINE_STORAGE_PATH`` where it can be ours, else default.

    docker-machine's users have ``$MACHINE_STORAGE_PATH`` set to *its* store; that one is never taken for ours.

    Args:
        drop_in: we are docker-machine here: where it keeps its store is where ours is.
    """
    if flag:
        return os.path.abspath(flag)
    if drop_in:
        home = os.path.expanduser("~")
        return os.path.abspath(environ.get("MACHINE_STORAGE_PATH") or os.path.join(home, ".docker", "machine"))
    if environ.get("PYMACHINE_HOME"):
        return os.path.abspath(environ["PYMACHINE_HOME"])
    inherited = environ.get("MACHINE_STORAGE_PATH")
    if inherited and is_ours_or_empty(inherited):
        return os.path.abspath(inherited)
    return os.path.join(_data_directory(environ), "pymachine")


def cache_directory(environ: os._Environ[str] | dict[str, str]) -> str:
    """What can be made anew at any time; as ``platformdirs.user_cache_dir("pymachine", appauthor=False)``."""
    home = os.path.expanduser("~")
    if sys.platform == "win32":
        return os.path.join(_data_directory(environ), "pymachine", "Cache")
    configured = environ.get("XDG_CACHE_HOME", "")
    if os.path.isabs(configured):
        return os.path.join(configured, "pymachine")
    return os.path.join(home, *(("Library", "Caches") if sys.platform == "darwin" else (".cache",)), "pymachine")


def is_ours_or_empty(directory: str) -> bool:
    """Whether this directory holds our store, or nothing, or does not exist."""
    try:
        names = os.listdir(directory)
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return not names or DATABASE in names


def _data_directory(environ: os._Environ[str] | dict[str, str]) -> str:
    home = os.path.expanduser("~")
    if sys.platform == "win32":
        return environ.get("LOCALAPPDATA") or os.path.join(home, "AppData", "Local")
    configured = environ.get("XDG_DATA_HOME", "")
    if os.path.isabs(configured):  # the specification: a relative one is to be ignored
        return configured
    if sys.platform == "darwin":
        return os.path.join(home, "Library", "Application Support")
    return os.path.join(home, ".local", "share")
