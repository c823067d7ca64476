"""What everything that is made carries, in the very call that makes it: whose it is, and which operation made it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

NAME = "aws"  # of the driver
STORE, MACHINE, OPERATION = "pymachine:store", "pymachine:machine", "pymachine:operation"
# What is recorded before EC2 has said an id: everything there is of it carries this token.
BY_TOKEN = "token:"  # noqa: S105 - not a password


def marks(request: Mapping[str, Any], token: str) -> list[dict[str, str]]:
    """The tags of a machine's resources."""
    tags = {
        **request.get("tags", {}),
        "Name": request["machine"],
        STORE: request["store"],
        MACHINE: request["machine"],
        OPERATION: token,
    }
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def specification(request: Mapping[str, Any], token: str, *kinds: str) -> list[dict[str, Any]]:
    """The same, as a call takes them for the kinds of resource it makes."""
    return [{"ResourceType": kind, "Tags": marks(request, token)} for kind in kinds]


def marked(key: str, value: str) -> list[dict[str, Any]]:
    """A filter for what carries a mark."""
    return [{"Name": f"tag:{key}", "Values": [value]}]


def tag(resource: Mapping[str, Any], key: str) -> str:
    """The value of a resource's tag; empty where it has none."""
    tags: Iterable[Mapping[str, str]] = resource.get("Tags", ())
    return next((each["Value"] for each in tags if each["Key"] == key), "")
