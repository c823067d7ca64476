"""The drivers that are given what there is keep the contract; so does memory (test_memory) and nspawn (e2e)."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from machine.driver import Capabilities, Driver
from machine.drivers.generic import GenericDriver
from machine.drivers.none import NoneDriver
from machine.testing.contract import DriverContract
from machine.trust.certificates import load_authority, new_authority, new_client

DOCUMENT = Path(__file__).parents[3] / "docs/drivers.md"


class TestGenericKeepsTheContract(DriverContract):
    def new_driver(self) -> Driver:
        return GenericDriver()

    def given(self) -> Mapping[str, Any]:
        return {"ip_address": "192.0.2.7", "ssh_user": "admin", "ssh_port": "2222"}

    def wrong_values(self) -> Mapping[str, str | None]:
        return {"ip_address": "a b", "ssh_port": "0", "engine_port": "65536", "host_key": "MD5:00", "ssh_key": None}

    def other_access(self) -> Mapping[str, Any]:
        key = {"host_key": "SHA256:" + "A" * 43, "ssh_key": __file__}
        return {"ssh_user": "ada", "ssh_port": "22", "engine_port": "2377", **key}


class TestNoneKeepsTheContract(DriverContract):
    @pytest.fixture
    def provider(self, tmp_path: Path) -> None:
        authority = new_authority("somebody")
        client = new_client(load_authority(authority), store="somebody", machine="m1", user="me")
        kept = {"ca_cert": authority.certificate, "client_cert": client.certificate, "client_key": client.key}
        self.certificates = {name: str(tmp_path / name) for name in kept}
        for name, content in kept.items():
            (tmp_path / name).write_bytes(content)

    def new_driver(self) -> Driver:
        return NoneDriver()

    def other_access(self) -> Mapping[str, Any]:
        return self.certificates

    def given(self) -> Mapping[str, Any]:
        return {"url": "tcp://[2001:db8::7]:2376"}

    def wrong_values(self) -> Mapping[str, str | None]:
        return {"url": "tcp://", "ca_cert": None, "client_cert": None, "client_key": None}


def test_every_capability_and_every_member_of_the_protocol_is_in_the_document() -> None:
    text = DOCUMENT.read_text()
    names = [field.name for field in dataclasses.fields(Capabilities)]
    names += [name for name in vars(Driver) if not name.startswith("_")]
    assert [name for name in names if name not in text] == []


def test_every_hook_of_the_contract_is_in_the_document() -> None:
    text = DOCUMENT.read_text()
    hooks = (
        "new_address_after_start",
        "provider",
        "new_driver",
        "given",
        "wrong_values",
        "other_access",
        "lose",
        "everything",
        "points",
    )
    assert all(hasattr(DriverContract, hook) for hook in hooks)
    assert [hook for hook in hooks if f"{hook}(" not in text and f"{hook} =" not in text] == []
