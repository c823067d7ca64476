"""The driver aws keeps the contract of drivers, against an EC2 whose instances are records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pytest

from machine.driver import Driver
from machine.drivers.aws import AwsDriver
from machine.model import Instance
from machine.testing.contract import DriverContract
from tests.testbed.aws.server import AwsServer

SECRETS = {"access_key": "testing", "secret_key": "canary-4711", "session_token": "canary-4712"}


class TestAwsKeepsTheContract(DriverContract):
    new_address_after_start = True
    server: AwsServer

    @pytest.fixture
    def provider(self, aws: AwsServer) -> None:
        self.server = aws

    def new_driver(self) -> Driver:
        return AwsDriver()

    def given(self) -> Mapping[str, Any]:
        return {
            "instance_type": "t4g.micro",
            "elastic_ip": False,
            "allow_cidr": ("203.0.113.0/24",),
            "open_port": ("80", "53/udp"),
            **SECRETS,
        }

    def wrong_values(self) -> Mapping[str, str | None]:
        return {
            "region": "Frankfurt",
            "role_arn": "admin",
            "endpoint_url": "ftp://localhost",
            "ssh_user": "A b",
            "instance_type": "large",
            "root_size": "0",
            "metadata_hops": "0",
            "tags": "a,b,c",
            "vpc_id": "main",
            "subnet_id": "main",
            "zone": "1",
            "allow_cidr": "everybody",
            "open_port": "0",
            "spot_price": "cheap",
            "capacity_reservation": "mine",
        }

    def lose(self, instance: Instance) -> None:
        self.server.backend().terminate_instances([instance.id])
        self.server.settle()

    def everything(self) -> list[str]:
        backend = self.server.backend()
        there = [each for each in backend.all_instances() if each.state not in ("terminated", "shutting-down")]
        return [
            *(f"instance {each.id}" for each in there),
            *(f"group {each.id}" for each in backend.describe_security_groups() if each.name != "default"),
            *(f"address {each.allocation_id}" for each in backend.describe_addresses()),
            *(f"volume {each.id}" for each in backend.describe_volumes()),
        ]

    def points(self, count: int) -> Iterable[int]:
        """Each up to the instance's id; of the waits that follow, one in ten."""
        return [*range(1, min(count, 40) + 1), *range(41, count + 1, 10)]
