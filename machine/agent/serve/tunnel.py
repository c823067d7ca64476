"""A hijacked connection (`attach`, `exec`, BuildKit's `session`): bytes in both directions, each ended on its own.

`docker run -i … < file` ends because the end of input travels: close_notify from the client becomes a half-close
towards the engine, and the other way round. There is no idle limit.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from machine.agent.serve.channel import PLAINTEXT, PlainChannel

if TYPE_CHECKING:
    from machine.agent.serve.connection import Connection


class Tunnel:
    """Moves bytes until both directions have ended."""

    __slots__ = ("_client_done", "_connection", "_engine", "_engine_done")

    def __init__(self, connection: Connection, engine: PlainChannel) -> None:
        self._connection, self._engine = connection, engine
        self._client_done = False  # its end was passed on
        self._engine_done = False
        # A client that closed for good after its close_notify is told from one that is half-closed only by a probe.
        _keep_alive(connection.client.sock)

    @property
    def wants_client(self) -> bool:
        """Whether more can come from the client."""
        return not self._connection.client.ended

    @property
    def wants_engine(self) -> bool:
        """Whether more can come from the engine."""
        return not self._engine.ended

    def from_client(self) -> None:
        """One turn's worth, client to engine."""
        count = self._connection.client.read_into(PLAINTEXT)
        if count:
            self._engine.write(PLAINTEXT[:count])

    def from_engine(self) -> None:
        """One turn's worth, engine to client."""
        count = self._engine.read_into(PLAINTEXT)
        if count:
            self._connection.client.write(PLAINTEXT[:count])

    def settle(self) -> None:
        """Pass on an end when everything before it was sent; both passed on: over."""
        client, engine = self._connection.client, self._engine
        if client.ended and not self._client_done and not engine.unsent:
            self._client_done = True
            engine.end()
        if engine.ended and not self._engine_done and not client.unsent:
            self._engine_done = True
            client.end()
        if self._engine_done and (self._client_done or engine.broken):
            self._connection.farewell()

    def over(self) -> None:
        """Nothing to give back."""


def _keep_alive(sock: socket.socket) -> None:
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 30)
