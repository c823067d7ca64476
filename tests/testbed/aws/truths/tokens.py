"""Client tokens of RunInstances: the same token is the same launch, in a region, or in a zone that was asked for.

Source: https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-idempotency.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from moto.ec2.models import EC2Backend

from tests.testbed.aws.truths.errors import Refused

_LONGEST = 64
_NOT_COMPARED = ("Action", "Version", "ClientToken", "DryRun")


@dataclass
class _Launch:
    fields: dict[str, Any]
    reservation: Any = None  # None: it made nothing, for want of capacity


class Tokens:
    """Those of a region."""

    def __init__(self) -> None:
        self._launches: dict[tuple[str, str | None], _Launch] = {}

    def look(self, token: str, zone: str | None, fields: dict[str, Any]) -> Any:
        """The reservation that this token has made already; None: none yet. The fields are bound to the token.

        Raises:
            Refused: the token is no token, was used with other fields, or what it made is terminated.
        """
        if len(token) > _LONGEST or not token.isascii():
            raise Refused(
                "InvalidParameterValue",
                f"Value ({token}) for parameter clientToken is invalid. Client tokens have at most {_LONGEST} ASCII "
                "characters.",
            )
        fields = {name: value for name, value in fields.items() if name not in _NOT_COMPARED}
        known = self._launches.setdefault((token, zone), _Launch(fields))
        if known.fields != fields:
            raise Refused(
                "IdempotentParameterMismatch",
                "Arguments on this idempotent request are inconsistent with arguments used in previous request(s).",
            )
        if known.reservation is not None and all(
            instance.state in ("terminated", "shutting-down") for instance in known.reservation.instances
        ):
            raise Refused(
                "IdempotentInstanceTerminated",
                "The client token you have provided is associated with a terminated instance. Please use a different "
                "client token.",
            )
        return known.reservation

    def made(self, token: str, zone: str | None, reservation: Any) -> None:
        """Remember what a token has made."""
        self._launches[token, zone].reservation = reservation

    def forget(self, token: str, zone: str | None) -> None:
        """A request that was not valid binds nothing."""
        known = self._launches.get((token, zone))
        if known is not None and known.reservation is None:
            del self._launches[token, zone]


def tokens(backend: EC2Backend) -> Tokens:
    """Those of a region; they go with its other state."""
    # A reset makes moto's own attributes anew, so that this dictionary is another one afterwards.
    kept = backend.__dict__.setdefault("_testbed_tokens", (backend.reservations, Tokens()))
    if kept[0] is not backend.reservations:
        kept = backend.__dict__["_testbed_tokens"] = (backend.reservations, Tokens())
    return kept[1]
