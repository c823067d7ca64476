from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.aws.world import AwsWorld
from tests.faults.conftest import room  # noqa: F401 - a fixture
from tests.faults.nursery import Nursery
from tests.testbed.aws.fixtures import *  # noqa: F403
from tests.testbed.aws.server import AwsServer


@pytest.fixture(scope="session")
def nursery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    """Children that have imported boto3 already."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
    home = str(tmp_path_factory.mktemp("nursery"))
    with Nursery({**kept, "HOME": home, "NURSERY_IMPORTS": "tests.aws.child"}) as made:
        yield made


@pytest.fixture
def place(room: Path) -> Iterator[Path]:  # noqa: F811
    """A directory for the worlds of one test."""
    directory = Path(tempfile.mkdtemp(dir=room))
    yield directory
    shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture
def world(place: Path, nursery: Nursery, aws: AwsServer) -> AwsWorld:
    """An empty store and an empty account, whose instances are at once what they are told to be."""
    aws.timing.pending = aws.timing.stopping = aws.timing.shutting_down = 0.0
    return AwsWorld(place / "world", nursery, aws)
