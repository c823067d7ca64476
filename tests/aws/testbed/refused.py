"""Asserting that AWS refuses something."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from botocore.exceptions import ClientError


@contextmanager
def refused(code: str, match: str | None = None, status: int | None = None) -> Iterator[None]:
    """Assert that a call in the block fails with this code."""
    with pytest.raises(ClientError, match=match) as caught:
        yield
    response = caught.value.response
    assert response["Error"]["Code"] == code
    assert status in (None, response["ResponseMetadata"]["HTTPStatusCode"])
