"""The AWS testbed for pytest: ``from tests.testbed.aws.fixtures import *`` in a conftest or a test file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.testbed.aws.server import REGION, AwsServer
from tests.testbed.fixtures import needs_root

__all__ = ["aws", "aws_hosts", "aws_server", "needs_root"]


@pytest.fixture(scope="session")
def aws_server() -> Iterator[AwsServer]:
    """The one server of this process, whose instances are records; for a test there is ``aws``."""
    with AwsServer() as server:
        yield server


@pytest.fixture
def aws(aws_server: AwsServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> AwsServer:
    """An empty AWS account, which boto3 finds through the environment; instances are records."""
    aws_server.reset()
    point_at(aws_server, monkeypatch, tmp_path)
    return aws_server


@pytest.fixture
def aws_hosts(needs_root: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[AwsServer]:
    """The same with instances that are real machines on this computer, gone after the test; mark the test ``e2e``."""
    with AwsServer(hosts=True) as server:
        point_at(server, monkeypatch, tmp_path)
        yield server


def point_at(server: AwsServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Let AWS's tools in this process and in those it starts find this server, and nothing of the developer's."""
    nothing = tmp_path / "no-aws-configuration"
    for name, value in environment(server.url, str(nothing)).items():
        monkeypatch.setenv(name, value)
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_REGION", "AWS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)


def environment(url: str, nothing: str = "/nonexistent") -> dict[str, str]:
    """The variables that lead AWS's tools to a server."""
    return {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": nothing,
        "AWS_SHARED_CREDENTIALS_FILE": nothing,
    }
