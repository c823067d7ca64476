"""What EC2 documents and moto lacks, put into moto's own classes: each file is one subject.

Importing a file here patches moto, once; `install` says that this is wanted.
"""

from tests.testbed.aws.truths import (
    addresses,
    describing,
    devices,
    groups,
    images,
    launch,
    lifecycle,
    modifying,
    parameters,
    permissions,
    reading,
)
from tests.testbed.aws.truths.lifecycle import notice
from tests.testbed.aws.truths.spot import preempt

__all__ = ["install", "notice", "preempt"]

_TRUTHS = (
    addresses,
    describing,
    devices,
    groups,
    images,
    launch,
    lifecycle,
    modifying,
    parameters,
    permissions,
    reading,
)


def install() -> None:
    """Make sure that moto is patched."""
    assert all(_TRUTHS)
