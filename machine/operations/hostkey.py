"""The host key that came in user data is for the first contact: its successor is pinned beside it, then alone."""

from __future__ import annotations

from typing import Any

from machine.errors import BootstrapFailed
from machine.model import Machine
from machine.operations.hostconnection import INJECTED, pin, pinned_of
from machine.operations.operation import Operation
from machine.ssh.connection import Connection


class HostKeyReplacement:
    """What one converge does about it; nothing, where no host key was given in user data or it is replaced already."""

    def __init__(self, op: Operation, machine: Machine, connection: Connection) -> None:
        assert machine.instance is not None  # noqa: S101 - there is a connection to it
        self._op, self._machine, self._connection = op, machine, connection
        self._injected: str | None = machine.instance.data.get(INJECTED)

    def wanted(self) -> dict[str, Any]:
        """What the agent is asked for."""
        return {"host_key": {"replace": [self._injected]}} if self._injected else {}

    def pin(self, key: str, taken: bool) -> None:
        """The host has made a key, and is believed by both; or it has taken it, and is believed by that one alone.

        Raises:
            BootstrapFailed: it has taken one that was never announced, or still has that of its user data.
        """
        known = pinned_of(self._op.store, self._machine)
        if not taken:
            keys = tuple(dict.fromkeys((*known, key)))
        elif key in known and key != self._injected:
            keys = (key,)
        else:
            raise _not_replaced(f"it says that it has {key}")
        self._machine = pin(self._op, self._machine, self._connection, keys, final=taken)

    def done(self) -> Machine:
        """The machine as it is recorded now.

        Raises:
            BootstrapFailed: the host has not done it.
        """
        assert self._machine.instance is not None  # noqa: S101 - there is a connection to it
        if self._machine.instance.data.get(INJECTED):
            raise _not_replaced(None)
        return self._machine


def _not_replaced(cause: str | None) -> BootstrapFailed:
    return BootstrapFailed(
        "the host has not replaced the host key that it was given in its user data",
        code="host-key",
        cause=cause,
        hint="run the command again",
    )
