"""Machines that are really created: records at a cloud in a file, and hosts that speak from a script."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import pytest

import machine.operations
from machine.testing.cloud import MemoryCloud
from machine.testing.memory import CLOUD_VARIABLE
from machine.testing.plugin import MEMORY, register_drivers
from tests.faults import scripted

_PLAYED = ("reach", "verify_endpoint", "ask_health", "ask_engine")


class Hosts:
    """Where they are, and how one is asked for."""

    create = ("create", "-d", "memory")

    def __init__(self, directory: Path) -> None:
        self.cloud = MemoryCloud(directory / "cloud")
        self.host = scripted.ScriptedHost(directory / "host")

    def states(self) -> dict[str, str]:
        """What the provider has, by the machine's name."""
        return {each.machine: each.state for each in self.cloud.instances()}


def played(directory: Path, patch: pytest.MonkeyPatch) -> Hosts:
    """Let the driver `memory` be installed, and every host be a scripted one, until the test's end."""
    patch.syspath_prepend(str(register_drivers(directory / "plugins", MEMORY)))
    patch.setenv(CLOUD_VARIABLE, str(directory / "cloud"))
    patch.setenv(scripted.VARIABLE, str(directory / "host"))
    _import_all()
    for module in _operations():
        for name in _PLAYED:
            if name in vars(module):
                patch.setattr(module, name, getattr(module, name))  # it remembers what was there before
    scripted.install()
    return Hosts(directory)


def _operations() -> list[ModuleType]:
    return [module for name, module in sys.modules.items() if name.startswith("machine.operations.")]


def _import_all() -> None:
    """Every operation: one that is imported later would hold the real ones of these functions."""
    import importlib
    import pkgutil

    for each in pkgutil.iter_modules(machine.operations.__path__, "machine.operations."):
        importlib.import_module(each.name)
