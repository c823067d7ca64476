"""Clients of the AWS testbed, which repeat nothing by themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import boto3
import botocore.loaders
import botocore.session
import pytest
from botocore.config import Config
from botocore.loaders import Loader

from tests.testbed.aws.fixtures import *  # noqa: F403
from tests.testbed.aws.server import AwsServer


@pytest.fixture(scope="session")
def loader() -> Loader:
    """The models of the services, read once: 4 MB of EC2's are a seventh of a second."""
    return botocore.loaders.create_loader()


@pytest.fixture
def client(aws: AwsServer, loader: Loader) -> Iterator[Callable[..., Any]]:
    """Makes clients of services."""
    core = botocore.session.Session()
    core.register_component("data_loader", loader)
    session = boto3.session.Session(botocore_session=core)
    with ExitStack() as made:

        def make(service: str, *, attempts: int = 1, **options: Any) -> Any:
            config = Config(retries={"total_max_attempts": attempts}, read_timeout=options.pop("read_timeout", 20))
            new = session.client(service, config=config, **options)
            made.callback(new.close)
            return new

        yield make


@pytest.fixture
def ec2(client: Callable[..., Any]) -> Any:
    """A client of EC2."""
    return client("ec2")


@pytest.fixture
def image(client: Callable[..., Any]) -> str:
    """Debian 12 for x86_64."""
    ssm = client("ssm")
    return ssm.get_parameter(Name="/aws/service/debian/release/12/latest/amd64")["Parameter"]["Value"]


@pytest.fixture
def launch(ec2: Any, image: str) -> Callable[..., Any]:
    """Launches one instance; the answer's instance."""

    def run(**given: Any) -> Any:
        request = {"ImageId": image, "InstanceType": "t3.micro", "MinCount": 1, "MaxCount": 1} | given
        return ec2.run_instances(**{name: value for name, value in request.items() if value is not None})["Instances"][
            0
        ]

    return run
