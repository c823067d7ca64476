"""One client, from its handshake to its end. Here are the descriptors and who may read; what it means is in a phase.

A phase (`Handshake`, `relay.Relay`, `tunnel.Tunnel`, `Farewell`) is told when a side can be read and when something was
written, and says with ``wants_client`` and ``wants_engine`` whether it wants to read. A side is read only while the
other one has nothing unsent: that is the whole back-pressure.
"""

from __future__ import annotations

import socket
import ssl
import traceback
from typing import TYPE_CHECKING, Callable, Protocol

from machine.agent.serve.channel import PlainChannel, TlsChannel, Vanished
from machine.agent.serve.log import ERROR, INFO, WARNING, log
from machine.agent.serve.loop import BROKEN, PAUSED, READ, WRITE
from machine.agent.serve.peer import Peer, Refused, identify
from machine.agent.serve.relay import Relay

if TYPE_CHECKING:
    from machine.agent.serve.server import Server

HANDSHAKE_SECONDS = 10
FAREWELL_SECONDS = 5


class Phase(Protocol):
    """What a connection is doing."""

    @property
    def wants_client(self) -> bool:
        """Whether it would read from the client now."""

    @property
    def wants_engine(self) -> bool:
        """Whether it would read from the engine now."""

    def from_client(self) -> None:
        """The client can be read."""

    def from_engine(self) -> None:
        """The engine can be read; only called where `wants_engine`."""

    def settle(self) -> None:
        """After every event, before it is decided who may read."""

    def over(self) -> None:
        """Another phase, or the end, comes now."""


class Connection:
    """A client and, while a request of it is under way, the engine's side of it."""

    __slots__ = ("address", "client", "closed", "engine", "loop", "peer", "phase", "server")

    def __init__(self, server: Server, sock: socket.socket, address: str) -> None:
        self.server, self.loop, self.address = server, server.loop, address
        self.client = TlsChannel(sock, server.identity.context)
        self.engine: PlainChannel | None = None
        self.peer: Peer | None = None
        self.closed = False
        self.phase: Phase = Handshake(self)
        self.loop.watch(sock.fileno(), READ, self._on_client)

    def attach(self, sock: socket.socket) -> PlainChannel:
        """Take this connected socket as the engine's side."""
        self.engine = PlainChannel(sock)
        self.loop.watch(sock.fileno(), PAUSED, self._on_engine)
        return self.engine

    def detach(self) -> None:
        """Drop the engine's side."""
        if self.engine is not None:
            self.loop.close(self.engine.sock)
            self.engine = None

    def close(self) -> None:
        """End it at once: both sides. May be called again."""
        if not self.closed:
            self.closed = True
            self.phase.over()
            self.detach()
            self.loop.close(self.client.sock)
            self.server.forget(self)

    def turn(self, phase: Phase) -> None:
        """Go over to another phase."""
        self.phase.over()
        self.phase = phase

    def farewell(self) -> None:
        """End it politely: the client gets all that was written, and closes first."""
        self.detach()
        if not isinstance(self.phase, Farewell):
            self.turn(Farewell(self))

    def guard(self, action: Callable[..., object], *arguments: object) -> None:
        """Run one handler; a client that is gone, or a fault of ours, ends this connection and no other."""
        if self.closed:
            return
        try:
            action(*arguments)
            self._settle()
        except Vanished:
            self.close()
        except Exception:  # noqa: BLE001 (one client's fault must not end everybody's streams)
            log(ERROR, f"{self.address}: a fault of the agent: {traceback.format_exc(limit=-3)}")
            self.close()

    def _on_client(self, mask: int) -> None:
        self.guard(self._client_ready, mask)

    def _on_engine(self, mask: int) -> None:
        self.guard(self._engine_ready, mask)

    def _client_ready(self, mask: int) -> None:
        if mask & BROKEN:
            raise Vanished("the connection broke")
        if mask & WRITE:
            self.client.flush()
        if mask & READ:
            self.phase.from_client()

    def _engine_ready(self, mask: int) -> None:
        engine = self.engine
        if engine is None:
            return
        if mask & WRITE:
            engine.flush()
        if mask & BROKEN and engine.ended:
            engine.broken = True  # not half-closed but closed: nothing we could send will be read
        # A hang-up can come before the last bytes are read, and while we do not want them yet.
        if mask & (READ | BROKEN) and self._reads_engine():
            self.phase.from_engine()

    def _settle(self) -> None:
        if self.closed:
            return
        self.phase.settle()
        if self.closed:
            return
        engine = self.engine
        mask = READ if self.phase.wants_client and (engine is None or not engine.unsent) else 0
        if self.client.unsent:
            mask |= WRITE
        self.loop.change(self.client.sock.fileno(), mask or PAUSED)
        if engine is not None:
            mask = READ if self._reads_engine() else 0
            if engine.unsent:
                mask |= WRITE
            self.loop.change(engine.sock.fileno(), mask or PAUSED)

    def _reads_engine(self) -> bool:
        return self.engine is not None and self.phase.wants_engine and not self.client.unsent


class Handshake:
    """TLS, and the question who this is; it has `HANDSHAKE_SECONDS`."""

    __slots__ = ("_connection", "_timer")
    wants_client = True
    wants_engine = False

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._timer = connection.loop.later(HANDSHAKE_SECONDS, self._late)

    def from_client(self) -> None:
        """Go on with the handshake; when it is done, let the client in or not."""
        connection = self._connection
        try:
            der = connection.client.handshake()
            if der is None:
                return
            connection.peer = identify(der, connection.server.identity.machines)
        except ssl.SSLError as error:
            self._refuse(_reason(error))
        except Refused as error:
            self._refuse(str(error))
        else:
            # We have nothing to say now, and a client that waits for our acknowledgement (Nagle) before it sends its
            # request would wait 40 ms for it.
            connection.client.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
            connection.server.admitted(connection)
            connection.turn(Relay(connection))
            connection.phase.from_client()  # its first request may have come with its last message

    def from_engine(self) -> None:
        """Never: there is none yet."""

    def settle(self) -> None:
        """Nothing to do."""

    def over(self) -> None:
        """The deadline no longer matters."""
        self._timer.cancel()

    def _late(self) -> None:
        log(INFO, f"{self._connection.address}: no handshake within {HANDSHAKE_SECONDS} s")
        self._connection.close()

    def _refuse(self, reason: str) -> None:
        log(WARNING, f"{self._connection.address}: refused: {reason}")
        self._connection.farewell()


class Farewell:
    """Everything is said: end our direction when it is sent, and wait shortly for the client to close.

    Closing at once, with bytes of the client still unread, would make the kernel send a reset, which can overtake the
    answer (or the alert) on its way.
    """

    __slots__ = ("_connection", "_said", "_timer")
    wants_client = True
    wants_engine = False

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._said = False
        self._timer = connection.loop.later(FAREWELL_SECONDS, connection.close)

    def from_client(self) -> None:
        """Throw away what still comes, until it ends."""
        self._connection.client.discard()

    def from_engine(self) -> None:
        """Never: it is gone."""

    def settle(self) -> None:
        """Say goodbye once everything is sent."""
        if not self._said and not self._connection.client.unsent:
            self._said = True
            self._connection.client.end()
            try:
                self._connection.client.sock.shutdown(socket.SHUT_WR)
            except OSError as error:
                raise Vanished(str(error)) from None

    def over(self) -> None:
        """The deadline no longer matters."""
        self._timer.cancel()


def _reason(error: ssl.SSLError) -> str:
    """What OpenSSL says, in words an operator can act upon."""
    verify = getattr(error, "verify_message", "")
    if verify:
        return f"the client certificate is not valid here: {verify}"
    words = (error.reason or str(error)).replace("_", " ").lower()
    if " alert " in words:
        return f"the client broke off: {words.partition(' alert ')[2]} (does it have this machine's ca.pem?)"
    return {
        "PEER_DID_NOT_RETURN_A_CERTIFICATE": "no client certificate",
        "HTTP_REQUEST": "plain HTTP where TLS is spoken",
        "WRONG_VERSION_NUMBER": "not TLS",
        "UNSUPPORTED_PROTOCOL": "a version of TLS older than 1.2",
    }.get(error.reason or "", f"TLS: {words}")
