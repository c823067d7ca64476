"""The nspawn driver keeps the contract of all drivers, with real machines in a set of their own."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from machine.driver import Driver
from machine.drivers.nspawn import NspawnDriver, base, boot, directories, layout
from machine.drivers.nspawn.layout import Layout
from machine.model import Instance
from machine.testing.contract import DriverContract
from machine.testing.recorder import ListRecorder
from tests.testbed.host import bare_base
from tests.testbed.leftovers import leftovers

pytestmark = [pytest.mark.e2e, pytest.mark.skipif(os.geteuid() != 0, reason="makes real machines: needs root")]


class TestNspawnKeepsTheContract(DriverContract):
    @pytest.fixture
    def provider(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        monkeypatch.setenv(layout.ROOT_VARIABLE, str(tmp_path / "root"))
        self.layout = Layout.of()
        # The small base, which boots fastest, given as a directory.
        self.rootfs = base.ensure(self.layout, bare_base(), ListRecorder())
        yield
        assert leftovers(self.layout) == []

    def new_driver(self) -> Driver:
        return NspawnDriver()

    def given(self) -> Mapping[str, Any]:
        return {"rootfs": str(self.rootfs), "cpus": "2", "memory": "512m"}

    def wrong_values(self) -> Mapping[str, str | None]:
        return {
            "cpus": "none", "memory": "1k", "suite": "Book worm", "mirror": "gopher://x", "subnet": "10.0.0.0/8",
        }  # fmt: skip

    def lose(self, instance: Instance) -> None:
        boot.end(self.layout, instance.id)
        directories.remove_tree(self.layout.place(instance.id).directory)

    def everything(self) -> list[str]:
        return leftovers(self.layout)

    def points(self, count: int) -> Iterable[int]:
        """The first ones, where something new is begun, and a few of the waits that follow."""
        return sorted({1, 2, 3, count // 2, count} & set(range(1, count + 1)))
