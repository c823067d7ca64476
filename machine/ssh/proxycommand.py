"""A ProxyCommand as OpenSSH runs it: by a shell, its stdin and stdout are the connection.

Paramiko's own runs it without a shell, waits out a time limit when the command has ended, and hides what it said.
"""

from __future__ import annotations

import socket
import subprocess
import tempfile
import threading

_LAST_WORDS = 4096
_END_SECONDS = 2.0


class ProxyCommand(socket.socket):
    """A socket with a command at its other end; closing it ends the command."""

    def __init__(self, command: str) -> None:
        self._words = ""
        self._closing = threading.Lock()
        ours, theirs = socket.socketpair()
        super().__init__(ours.family, ours.type, ours.proto, fileno=ours.detach())
        with theirs:
            self._stderr = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the socket
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", f"exec {command}"], stdin=theirs.fileno(), stdout=theirs.fileno(), stderr=self._stderr
            )

    def said(self) -> str:
        """The last line the command wrote to stderr; empty where it wrote none, or is not closed."""
        return self._words

    def close(self) -> None:
        """End the command too; twice is success, and so is at the same moment (paramiko does both)."""
        super().close()
        with self._closing:
            if self._stderr.closed:
                return
            self._end()
            self._stderr.seek(0)
            lines = self._stderr.read()[-_LAST_WORDS:].decode("utf-8", "replace").split("\n")
            self._words = next((line.strip() for line in reversed(lines) if line.strip()), "")
            self._stderr.close()

    def _end(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
