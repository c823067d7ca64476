"""Registering a driver without installing anything: what ``pip install`` would leave behind, and no more of it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from machine.driver import ENTRY_POINT_GROUP

MEMORY = {"memory": "machine.testing.memory:MemoryDriver"}


def register_drivers(directory: Path, drivers: Mapping[str, str]) -> Path:
    """Make a directory in which Python finds these drivers as if a plugin had been installed.

    Put it on ``sys.path`` for this process (``monkeypatch.syspath_prepend``), on ``PYTHONPATH`` for children.

    Args:
        drivers: driver name -> ``module:Class``, as in an entry point.

    Returns:
        The directory.
    """
    info = directory / "pymachine_testing_drivers-0.dist-info"
    info.mkdir(parents=True, exist_ok=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: pymachine-testing-drivers\nVersion: 0\n")
    lines = [f"[{ENTRY_POINT_GROUP}]", *(f"{name} = {target}" for name, target in drivers.items())]
    (info / "entry_points.txt").write_text("\n".join(lines) + "\n")
    return directory
