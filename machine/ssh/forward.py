"""A local port that ends on the host: what reaches the endpoint where only port 22 is open.

Anyone on this computer can connect to it, and gets no further than the endpoint's mutual TLS.
"""

from __future__ import annotations

import logging
import socket
import threading
from types import TracebackType

import paramiko

from machine.deadline import Deadline
from machine.errors import HostUnreachable, UsageError
from machine.ssh.connection import Connection

_log = logging.getLogger(__name__)
_PIECE = 65536
_OPEN_SECONDS = 15.0


class Forward:
    """Listens on the loopback address from ``start`` to ``close``.

    Args:
        connection: over which.
        host, port: where it ends, as the host sees it.
        local_port: 0: any free one.

    Raises:
        UsageError: the local port is taken.
    """

    def __init__(self, connection: Connection, host: str, port: int, *, local_port: int = 0) -> None:
        self._connection = connection
        self._target = (host, port)
        self._listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._listener.bind(("127.0.0.1", local_port))
        except OSError as error:
            self._listener.close()
            raise UsageError(
                f"port {local_port} of this computer is taken", cause=error.strerror, hint="choose another: --port PORT"
            ) from error
        self._listener.listen(64)
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, name="forward", daemon=True).start()

    @property
    def local_port(self) -> int:
        """The port on this computer."""
        return int(self._listener.getsockname()[1])

    @property
    def alive(self) -> bool:
        """Whether the connection below it still is."""
        return self._connection.alive

    def close(self) -> None:
        """Stop listening, and end every stream."""
        # Closing alone does not wake an accept(); shutting down does, on Linux, and fails harmlessly elsewhere.
        for sock in (self._listener, *self._open):
            try:
                sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            sock.close()

    def __enter__(self) -> Forward:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return  # closed
            threading.Thread(target=self._serve, args=(sock,), name="forwarded", daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self._lock:
            self._open.add(sock)
        try:
            channel = self._connection.stream_to(*self._target, Deadline(_OPEN_SECONDS))
        except HostUnreachable as error:
            _log.debug("a stream was refused: %s (%s)", error, error.cause)
        else:
            back = threading.Thread(target=_pump_back, args=(channel, sock), name="forwarded back", daemon=True)
            back.start()
            _pump_out(sock, channel)
            back.join()
            channel.close()
        finally:
            with self._lock:
                self._open.discard(sock)
            sock.close()


def _pump_out(sock: socket.socket, channel: paramiko.Channel) -> None:
    """From here to the host, until this side has said all."""
    try:
        while data := sock.recv(_PIECE):
            channel.sendall(data)
        channel.shutdown_write()
    except (OSError, EOFError, paramiko.SSHException):
        channel.close()


def _pump_back(channel: paramiko.Channel, sock: socket.socket) -> None:
    """From the host to here, until that side has said all."""
    try:
        while data := channel.recv(_PIECE):
            sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
    except (OSError, EOFError, paramiko.SSHException):
        channel.close()
        try:
            sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
