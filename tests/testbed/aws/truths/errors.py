"""Errors of EC2's as exceptions that moto turns into a reply."""

from __future__ import annotations

from typing import Any

from moto.core.responses import BaseResponse
from moto.ec2.exceptions import EC2ClientError

from tests.testbed.aws.protocol import failure


class Refused(EC2ClientError):
    """A 400 with this code and message."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(code, message)
        self.status = status


def reply(error: Refused) -> Any:
    """The same with another status, as a method of moto's responses may return it."""
    status, headers, body = failure("ec2", error.code, error.message, error.status)
    return status, {**headers, "status": status}, body.decode()


def params(response: BaseResponse) -> dict[str, Any]:
    """The parameters of a request, nested, by their names in the API; can be changed."""
    return response.params  # type: ignore[return-value]
