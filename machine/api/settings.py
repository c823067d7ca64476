"""What is known before a store is opened: which driver is used where none is said, and what an engine's flags mean."""

from __future__ import annotations

from machine.operations.enginesettings import check_install_url, given_fields
from machine.operations.wanted import default_driver as _default_driver
from machine.store.config import read_config

__all__ = ["check_install_url", "default_driver", "given_fields"]


def default_driver(directory: str) -> str | None:
    """The driver where none is said: ``MACHINE_DRIVER``, else the configuration's in a store's directory; None: choose.

    Raises:
        UsageError: the configuration cannot be read.
    """
    return _default_driver(read_config(directory))
