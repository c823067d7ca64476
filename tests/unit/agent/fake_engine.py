"""A container engine as the agent sees one: a Unix socket, on which each connection is scripted by its first line."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from pathlib import Path


class EngineConnection:
    """One connection the agent made: raw bytes, with just enough HTTP to find the end of a head."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.head = b""
        self.rest = b""  # what came after the head
        self.ended = threading.Event()  # the agent's direction has ended

    def read_head(self) -> bytes:
        data = b""
        while b"\r\n\r\n" not in data:
            piece = self.sock.recv(65536)
            if not piece:
                break
            data += piece
        self.head, _, self.rest = data.partition(b"\r\n\r\n")
        return self.head

    def read_more(self, count: int = 65536) -> bytes:
        if self.rest:
            data, self.rest = self.rest, b""
            return data
        with contextlib.suppress(ConnectionResetError):
            data = self.sock.recv(count)
            if data:
                return data
        self.ended.set()
        return b""

    def read_until(self, end: bytes) -> bytes:
        data = b""
        while end not in data:
            piece = self.read_more()
            if not piece:
                break
            data += piece
        return data

    def read_all(self) -> bytes:
        pieces = []
        while piece := self.read_more():
            pieces.append(piece)
        return b"".join(pieces)

    def send(self, data: bytes) -> None:
        self.sock.sendall(data)


class FakeEngine:
    """Answers with what was registered for a path; ``connections`` are all that were ever made."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.connections: list[EngineConnection] = []
        self._handlers: dict[str, Callable[[EngineConnection], None]] = {}
        self._arrived = threading.Condition()
        self._listener: socket.socket | None = None
        self.reset()

    def reset(self) -> None:
        """As new: up, with nothing seen and no page but the ping."""
        self._handlers = {"/_ping": answer(b"OK")}
        self.connections = []
        if self._listener is None:
            self.start()

    def start(self) -> None:
        self.path.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(self.path))
        self._listener.listen(128)
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def stop(self) -> None:
        if self._listener is not None:
            self.path.unlink(missing_ok=True)
            with contextlib.suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None

    def on(self, path: str, handler: Callable[[EngineConnection], None]) -> None:
        self._handlers[path] = handler

    def wait_for(self, count: int = 1, timeout: float = 10) -> EngineConnection:
        """The latest of at least ``count`` connections whose head was read."""
        with self._arrived:
            assert self._arrived.wait_for(lambda: len(self.connections) >= count, timeout), "the engine saw nothing"
            return self.connections[-1]

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(EngineConnection(sock),), daemon=True).start()

    def _serve(self, connection: EngineConnection) -> None:
        with contextlib.suppress(OSError), connection.sock:
            head = connection.read_head()
            with self._arrived:
                self.connections.append(connection)
                self._arrived.notify_all()
            if head:
                path = head.split(b" ")[1].decode().partition("?")[0]
                self._handlers.get(path, answer(b'{"message":"no such page"}', status=b"404 Not Found"))(connection)


def answer(body: bytes, status: bytes = b"200 OK", extra: bytes = b"") -> Callable[[EngineConnection], None]:
    """A handler that answers with this body and a length."""

    def handler(connection: EngineConnection) -> None:
        length = b"Content-Length: %d\r\n" % len(body)
        payload = b"" if connection.head.startswith(b"HEAD") else body
        connection.send(b"HTTP/1.1 " + status + b"\r\n" + extra + length + b"\r\n" + payload)

    return handler
