"""Who runs this: as a host is told, and as certificates have it."""

from __future__ import annotations

import functools
import getpass
import os
import platform

_SAID = ("LOGNAME", "USER", "LNAME", "USERNAME")  # where `getpass.getuser` looks before it reads the accounts


def operator_name() -> str:
    """``user@computer``."""
    return f"{_user(os.getuid() if hasattr(os, 'getuid') else -1, *map(os.environ.get, _SAID))}@{platform.node()}"


@functools.lru_cache(maxsize=1)  # asked for each machine of a fleet, and the accounts are read from files
def _user(_uid: int, *_said: str | None) -> str:
    return getpass.getuser()
