"""A command running on a host: bytes in, bytes out, under one deadline."""

from __future__ import annotations

import paramiko

from machine.deadline import Deadline
from machine.errors import HostUnreachable

_LOOK_UP_SECONDS = 0.5  # how often a silent wait looks at its deadline and at a cancellation
_PIECE = 65536
_STDERR_KEPT = 65536  # the last of it: a host that talks for ever fills no memory here


class CommandChannel:
    """The stdin, stdout and stderr of one remote command."""

    def __init__(self, channel: paramiko.Channel, deadline: Deadline) -> None:
        self._channel = channel
        self._deadline = deadline
        self._stderr = b""

    def send(self, data: bytes) -> None:
        """Write all of it to the command's stdin.

        Raises:
            DeadlineExceeded, Cancelled, HostUnreachable.
        """
        left = memoryview(data)
        while left:
            left = left[self._send_some(left) :]

    def _send_some(self, data: memoryview) -> int:
        """As much as the host takes in a moment, and 0 when it takes nothing."""
        self._channel.settimeout(self._deadline.remaining(_LOOK_UP_SECONDS))
        try:
            return self._channel.send(bytes(data[:_PIECE]))
        except TimeoutError:
            self._keep_stderr()
            self._deadline.check("the host to read on")
            return 0
        except (OSError, paramiko.SSHException, EOFError) as error:
            raise HostUnreachable(
                "the host stopped reading", layer="connection", cause=str(error) or "connection lost"
            ) from error

    def exchange(self, data: bytes) -> bytes:
        """Send all of it and collect all that the command prints, side by side: neither side waits for the other.

        A command may end without reading its stdin; that is its own business.
        """
        left, parts = memoryview(data), []
        while left:
            while self._channel.recv_ready():
                parts.append(self._channel.recv(_PIECE))
            if self._channel.eof_received or self._channel.closed:
                break
            try:
                left = left[self._send_some(left) :]
            except HostUnreachable:
                break  # it has ended; its last words and its status are still to come
        self.close_stdin()
        while part := self.recv(_PIECE):
            parts.append(part)
        return b"".join(parts)

    def close_stdin(self) -> None:
        """End of input for the command."""
        try:
            self._channel.shutdown_write()
        except (OSError, EOFError):
            pass  # it has ended already

    def recv(self, max_bytes: int) -> bytes:
        """What the command printed next; empty at its end.

        Raises:
            DeadlineExceeded, Cancelled, HostUnreachable.
        """
        while True:
            self._channel.settimeout(self._deadline.remaining(_LOOK_UP_SECONDS))
            try:
                data = self._channel.recv(max_bytes)
            except TimeoutError:
                self._keep_stderr()
                self._deadline.check("the host's answer")
                continue
            except (OSError, paramiko.SSHException) as error:
                raise HostUnreachable("the SSH connection was lost", layer="connection", cause=str(error)) from error
            self._keep_stderr()
            return data

    def stderr(self) -> bytes:
        """The last of what the command printed to stderr so far."""
        self._keep_stderr()
        return self._stderr

    def exit_status(self) -> int:
        """The command's exit status, awaited; -1 where the host gives none (killed, connection cut)."""
        while not self._channel.status_event.wait(self._deadline.remaining(_LOOK_UP_SECONDS)):
            self._deadline.check("the command to end")
            if self._channel.closed:
                break
        self._keep_stderr()
        return int(self._channel.exit_status)

    def close(self) -> None:
        """End the channel; the connection stays."""
        self._channel.close()

    def __enter__(self) -> CommandChannel:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _keep_stderr(self) -> None:
        while self._channel.recv_stderr_ready():
            self._stderr = (self._stderr + self._channel.recv_stderr(_PIECE))[-_STDERR_KEPT:]
