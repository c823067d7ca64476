"""The drivers that are given what there is keep the contract; so does memory (test_memory) and nspawn (e2e)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from machine.driver import Driver
from machine.drivers.generic import GenericDriver
from machine.drivers.none import NoneDriver
from machine.testing.contract import DriverContract


class TestGenericKeepsTheContract(DriverContract):
    def new_driver(self) -> Driver:
        return GenericDriver()

    def given(self) -> Mapping[str, Any]:
        return {"ip_address": "192.0.2.7", "ssh_user": "admin", "ssh_port": "2222"}

    def wrong_values(self) -> Mapping[str, str | None]:
        return {"ip_address": "a b", "ssh_port": "0", "engine_port": "65536", "host_key": "MD5:00", "ssh_key": None}


class TestNoneKeepsTheContract(DriverContract):
    def new_driver(self) -> Driver:
        return NoneDriver()

    def given(self) -> Mapping[str, Any]:
        return {"url": "tcp://[2001:db8::7]:2376"}

    def wrong_values(self) -> Mapping[str, str | None]:
        return {"url": "tcp://", "ca_cert": None, "client_cert": None, "client_key": None}
