from __future__ import annotations

from tests.testbed.aws.fixtures import *  # noqa: F403
