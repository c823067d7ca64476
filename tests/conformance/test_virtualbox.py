"""``-d virtualbox``, as every old tutorial has it: its flags and variables are those of the best local driver here."""

from __future__ import annotations

import re
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, ClassVar

import pytest

from machine.cli.oldflags import from_virtualbox
from machine.compat import names
from machine.driver import load_driver, option
from machine.drivers.none import NoneDriver
from tests.conformance.conftest import Program

# drivers/virtualbox/virtualbox.go
VARIABLES = {
    "memory": "VIRTUALBOX_MEMORY_SIZE",
    "cpu-count": "VIRTUALBOX_CPU_COUNT",
    "disk-size": "VIRTUALBOX_DISK_SIZE",
    "boot2docker-url": "VIRTUALBOX_BOOT2DOCKER_URL",
    "import-boot2docker-vm": "VIRTUALBOX_BOOT2DOCKER_IMPORT_VM",
    "host-dns-resolver": "VIRTUALBOX_HOST_DNS_RESOLVER",
    "nat-nictype": "VIRTUALBOX_NAT_NICTYPE",
    "hostonly-cidr": "VIRTUALBOX_HOSTONLY_CIDR",
    "hostonly-nictype": "VIRTUALBOX_HOSTONLY_NIC_TYPE",
    "hostonly-nicpromisc": "VIRTUALBOX_HOSTONLY_NIC_PROMISC",
    "ui-type": "VIRTUALBOX_UI_TYPE",
    "hostonly-no-dhcp": "VIRTUALBOX_HOSTONLY_NO_DHCP",
    "no-share": "VIRTUALBOX_NO_SHARE",
    "no-dns-proxy": "VIRTUALBOX_NO_DNS_PROXY",
    "no-vtx-check": "VIRTUALBOX_NO_VTX_CHECK",
    "share-folder": "VIRTUALBOX_SHARE_FOLDER",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalOptions:
    memory: str | None = option(help="Memory.", default=None)
    cpus: str | None = option(help="Processors.", default=None)


class LocalDriver(NoneDriver):
    """Stands in for the best local driver, which makes nothing here."""

    name: ClassVar[str] = "local"
    Options: ClassVar[type] = LocalOptions
    asked: ClassVar[list[LocalOptions]] = []

    def check(self, spec: Any, options: Any, identity: Any) -> dict[str, Any]:
        self.asked.append(options)
        return {"host": "203.0.113.9", "port": 2375, "certificates": None}


@pytest.fixture
def local(monkeypatch: pytest.MonkeyPatch) -> list[LocalOptions]:
    """What the local driver was asked for."""
    LocalDriver.asked.clear()
    choice = SimpleNamespace(driver=LocalDriver(), why="local: for this test")
    monkeypatch.setattr("machine.operations.choose.choose_local_driver", lambda: choice)
    point = SimpleNamespace(name="local", value="a plugin", load=lambda: LocalDriver)
    monkeypatch.setattr("machine.driver._entry_points", lambda: [point])
    return LocalDriver.asked


def test_every_flag_has_docker_machine_s_variable() -> None:
    assert {flag: names.virtualbox_variable(flag) for flag in names.VIRTUALBOX_FLAGS} == VARIABLES


@pytest.mark.parametrize("how", ["flags", "variables"])
def test_memory_and_processors_are_those_of_the_local_machine(
    program: Program, local: list[LocalOptions], monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    words = []
    if how == "flags":
        words = ["--virtualbox-memory", "2048", "--virtualbox-cpu-count=2"]
    else:
        monkeypatch.setenv("VIRTUALBOX_MEMORY_SIZE", "2048")
        monkeypatch.setenv("VIRTUALBOX_CPU_COUNT", "2")
    said = program("create", "-d", "virtualbox", *words, "m")
    assert (said.code, said.err) == (0, "")
    assert "virtualbox is not driven here" in said.out
    assert local == [LocalOptions(memory="2048m", cpus="2")]


def test_a_flag_wins_over_a_variable(
    program: Program, local: list[LocalOptions], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIRTUALBOX_MEMORY_SIZE", "4096")
    program("create", "-d", "virtualbox", "--virtualbox-memory", "2048", "m")
    assert local == [LocalOptions(memory="2048m")]


def test_the_driver_of_the_environment_reads_them_too(
    program: Program, local: list[LocalOptions], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MACHINE_DRIVER", "virtualbox")
    monkeypatch.setenv("VIRTUALBOX_MEMORY_SIZE", "4096")
    program("create", "m")
    assert local == [LocalOptions(memory="4096m")]


@pytest.mark.parametrize("words", [[], ["-d", "local"], ["-d", "hyperv"]], ids=" ".join)
def test_of_any_other_driver_they_say_nothing(
    program: Program, local: list[LocalOptions], monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    for name in VARIABLES.values():
        monkeypatch.setenv(name, "1")
    said = program("create", *words, "m")
    assert (said.code, said.err) == (0, "")
    assert local == [LocalOptions()]


def test_what_only_virtualbox_had_is_named_as_it_was_said(
    program: Program, local: list[LocalOptions], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VIRTUALBOX_DISK_SIZE", "20000")
    monkeypatch.setenv("VIRTUALBOX_NO_SHARE", "false")
    said = program("create", "-d", "virtualbox", "--virtualbox-hostonly-cidr", "192.168.99.1/24", "m")
    assert said.code == 0
    assert re.search(r"Not used.*: VIRTUALBOX_DISK_SIZE, --virtualbox-hostonly-cidr$", said.err.strip())


def test_nspawn_has_both() -> None:
    said = {"virtualbox_memory": "2048", "virtualbox_cpu_count": "2", "virtualbox_disk_size": "20000"}
    assert from_virtualbox(load_driver("nspawn"), said) == {"memory": "2048m", "cpus": "2"}


def test_as_many_processors_as_there_are_is_what_happens_anyway() -> None:
    assert from_virtualbox(load_driver("nspawn"), {"virtualbox_cpu_count": "-1"}) == {}
