"""What the bootstrap needs of a connection: one command on the host, with its three streams."""

from __future__ import annotations

from typing import Protocol


class Channel(Protocol):
    """The command of `machine.bootstrap.stub.command`, running on the host.

    Every method raises an error of `machine.errors` when the connection breaks or the time is up.
    """

    def send(self, data: bytes) -> None:
        """Write all of it to the command's standard input."""

    def close_stdin(self) -> None:
        """End the command's standard input."""

    def recv(self, max_bytes: int) -> bytes:
        """Some of its standard output: blocks until there is some; ``b""`` at its end."""

    def stderr(self) -> bytes:
        """What it has written to standard error so far."""

    def exit_status(self) -> int:
        """Wait for its end; its exit code, or -1 when the connection was cut before it had one."""
