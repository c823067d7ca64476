"""A client's HTTP: one request at a time, each over its own connection to the engine, both sides parsed by h11.

One engine connection per request means that a restarted engine is met at the next request and never half-way, at a cost
of some 0.1 ms. Request and response flow independently: `docker load` reads progress while it still uploads.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, cast

import h11

from machine.agent.serve import headers, local
from machine.agent.serve.channel import PLAINTEXT, Bytes
from machine.agent.serve.log import INFO, log
from machine.agent.serve.loop import Timer
from machine.agent.serve.tunnel import Tunnel

if TYPE_CHECKING:
    from machine.agent.serve.connection import Connection

MAX_HEAD = 256 * 1024  # X-Registry-Config of a `docker build` carries the credentials of every registry
SLICE = (
    128 * 1024
)  # given to h11 at once: it copies thrice, and measured best where that stays in the processor's cache
MAX_AHEAD = 64 * 1024  # of a next request, while this one is answered
HEAD_SECONDS = 30  # from a head's first byte to its last
CONNECT_SECONDS = 5  # while the engine's queue of new connections is full
PING_SECONDS = 3


class Relay:
    """The HTTP phase of a connection."""

    __slots__ = (
        "_ahead",
        "_connecting",
        "_connection",
        "_down",
        "_outward",
        "_pinging",
        "_reply",
        "_request",
        "_timer",
        "_up",
    )

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._down = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD)
        self._up: h11.Connection | None = None
        self._request: h11.Request | None = None  # the one in progress
        self._outward: list[Bytes] = []  # what this turn has for the engine
        self._ahead = 0  # bytes that came after its end
        self._connecting = 0.0  # seconds of waiting left; 0: we do not wait
        self._pinging = False  # the engine is asked for the agent's own sake
        self._reply: tuple[int, bytes] | None = None  # status and body, once the request is known to be answered here
        self._timer: Timer | None = None

    @property
    def idle(self) -> bool:
        """Whether no request is in progress."""
        return self._request is None

    @property
    def wants_client(self) -> bool:
        """Not while we wait for the engine to accept, and not far beyond the request in progress."""
        return not self._connecting and self._ahead < MAX_AHEAD

    @property
    def wants_engine(self) -> bool:
        """Whenever there is a connection to it."""
        return True

    def from_client(self) -> None:
        """One turn's worth of requests."""
        client, down = self._connection.client, self._down
        count = client.read_into(PLAINTEXT)
        if count is None:
            return
        for at in range(0, count, SLICE):
            if down.their_state not in (h11.IDLE, h11.SEND_BODY):
                self._ahead += min(SLICE, count - at)
            down.receive_data(cast(bytes, PLAINTEXT[at : min(at + SLICE, count)]))
            self._requests()
            if self._connection.phase is not self:
                return
        if client.ended and not down.trailing_data[1]:
            down.receive_data(b"")
            self._requests()

    def from_engine(self) -> None:
        """One turn's worth of its response."""
        engine, up = self._connection.engine, self._up
        count = engine.read_into(PLAINTEXT) if engine is not None else None
        if count is None or up is None:
            return
        out: list[Bytes] = []
        finished = False
        try:
            for at in range(0, count or 1, SLICE):
                up.receive_data(cast(bytes, PLAINTEXT[at : min(at + SLICE, count)]))
                if self._pinging:
                    self._pong(up)
                    return
                finished = self._responses(up, out)
                if finished:
                    break
                if self._connection.phase is not self:  # hijacked: the rest is the stream's
                    out.append(PLAINTEXT[at + SLICE : count])
                    break
        except h11.ProtocolError as error:
            self._engine_failed(error, out)
            return
        if out:
            self._connection.client.write(*out)
        if finished:
            self._next()
            self._requests()

    def settle(self) -> None:
        """Send what this turn has for the engine, in one piece."""
        if self._outward and self._connection.engine is not None:
            self._connection.engine.write(*self._outward)
            self._outward = []

    def over(self) -> None:
        """The deadline no longer matters."""
        if self._timer is not None:
            self._timer.cancel()

    # requests: client to engine

    def _requests(self) -> None:
        """Take what h11 has understood; what goes to the engine is collected for `settle`."""
        while not self._connecting and self._connection.phase is self:
            try:
                event = self._down.next_event()
            except h11.RemoteProtocolError as error:
                self._bad_request(error)
                return
            if isinstance(event, h11.Data):
                if self._up is not None:  # else: the body of a request that is answered here
                    self._outward += self._up.send_with_data_passthrough(event) or ()
            elif isinstance(event, h11.Request):
                self._begin(event)
            elif isinstance(event, h11.EndOfMessage):
                self._complete(event)
            else:
                if isinstance(event, h11.ConnectionClosed) and self._request is None:
                    self._connection.farewell()
                elif self._reply is not None:  # the rest of this request's body is not waited for
                    self._answer(*self._reply)
                else:
                    self._time_head()
                return

    def _leave_engine(self) -> None:
        self._connection.detach()
        self._up = None
        self._outward = []

    def _begin(self, request: h11.Request) -> None:
        self.over()
        self._timer = None
        self._request = request
        reason = headers.complaint(request)
        if reason is not None:
            self._reply = 400, local.message(reason)
        elif not local.is_ours(request.target):
            self._connecting = CONNECT_SECONDS
            self._connect()
        elif local.wants_engine_state(request.target):
            self._pinging = True
        else:
            self._reply = local.answer(self._connection.server, request.method, request.target, "")

    def _connect(self) -> None:
        """Connect and send the head; wait a little where the engine is too busy to accept."""
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
        try:
            sock.connect(self._connection.server.engine_path)
        except BlockingIOError:
            sock.close()
            if self._connecting > 0.05:
                self._connecting -= 0.05
                self._timer = self._connection.loop.later(0.05, lambda: self._connection.guard(self._connect))
            else:
                self._unreachable("it does not accept connections")
            return
        except OSError as error:
            sock.close()
            self._unreachable((error.strerror or str(error)).lower())
            return
        waited, self._connecting, self._timer = self._timer is not None, 0.0, None
        # Room for a whole turn, where the kernel allows it: else every turn of an upload would be sent in two parts.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 2 * len(PLAINTEXT))
        engine = self._connection.attach(sock)
        self._up = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD)
        if self._pinging:
            request = h11.Request(method="GET", target="/_ping", headers=[("Host", "docker"), ("Connection", "close")])
            engine.write(self._up.send(request) + self._up.send(h11.EndOfMessage()))
            self._timer = self._connection.loop.later(PING_SECONDS, lambda: self._connection.guard(self._no_pong))
        else:
            assert self._request is not None  # noqa: S101 (it is why we connect)
            self._outward.append(self._up.send(headers.request_for_engine(self._request)))
            if waited:
                self._requests()

    def _unreachable(self, reason: str) -> None:
        waited, self._connecting, self._timer = self._timer is not None, 0.0, None
        if self._pinging:
            self._ponged(reason)
            return
        text = f"the container engine on {self._connection.server.identity.machine} is not running ({reason})"
        self._reply = 503, local.message(text)
        if waited:
            self._requests()

    def _complete(self, event: h11.EndOfMessage) -> None:
        """The request is all here."""
        self._ahead = 0
        if self._reply is not None:
            self._answer(*self._reply)
        elif self._pinging:
            self._connect()
        elif self._up is not None:
            self._outward += (
                self._up.send_with_data_passthrough(h11.EndOfMessage(headers=headers.trailers(event))) or ()
            )

    def _time_head(self) -> None:
        """A head that was begun must end; between requests a client may be silent for ever."""
        if self._timer is None and self._down.their_state is h11.IDLE and self._down.trailing_data[0]:
            self._timer = self._connection.loop.later(HEAD_SECONDS, lambda: self._connection.guard(self._late))

    def _late(self) -> None:
        log(INFO, f"{self._connection.address}: a request's head took more than {HEAD_SECONDS} s")
        self._connection.farewell()

    # responses: engine to client

    def _responses(self, up: h11.Connection, out: list[Bytes]) -> bool:
        """Append to ``out`` what the client gets; True when the response is complete."""
        request, send = self._request, self._down.send
        assert request is not None  # noqa: S101 (it is what this answers)
        modern = request.http_version >= b"1.1"
        while True:
            event = up.next_event()
            if isinstance(event, h11.Data):
                out += self._down.send_with_data_passthrough(event) or ()
            elif isinstance(event, h11.Response):
                if headers.is_hijack(request, event) and self._down.their_state is not h11.SEND_BODY:
                    out.append(headers.raw_head(event))
                    self._hijack(up, out)
                    return False
                out.append(send(headers.response_for_client(event)))
            elif isinstance(event, h11.InformationalResponse):
                if event.status_code == 101:
                    out.append(send(event))
                    self._hijack(up, out)
                    return False
                if modern:
                    out.append(send(event))
            elif isinstance(event, h11.EndOfMessage):
                out.append(send(h11.EndOfMessage(headers=headers.trailers(event) if modern else [])))
                return True
            else:
                return False

    def _hijack(self, up: h11.Connection, out: list[Bytes]) -> None:
        """From here on it is not HTTP: hand over, with what was already read of either side."""
        engine = self._connection.engine
        assert engine is not None  # noqa: S101 (its response is what brought us here)
        out.append(up.trailing_data[0])
        early = self._down.trailing_data[0]
        if early:
            engine.write(early)
        self._connection.turn(Tunnel(self._connection, engine))

    def _engine_failed(self, error: Exception, out: list[Bytes]) -> None:
        """The engine broke off, or does not speak HTTP: an error where one can still be told, else a hard end."""
        log(INFO, f"{self._connection.address}: the engine's response: {error}")
        if self._pinging:
            self._ponged("it does not speak HTTP")
            self._requests()
        elif self._down.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            self._answer(502, local.message(f"the container engine broke off: {error}"))
            self._requests()
        else:
            if out:
                self._connection.client.write(*out)
            self._connection.close()  # without a goodbye: a client must not take half a response for a whole one

    # answers of our own

    def _pong(self, up: h11.Connection) -> None:
        event = up.next_event()
        if isinstance(event, h11.Response):
            self._ponged("up" if event.status_code == 200 else f"it answers with status {event.status_code}")
            self._requests()

    def _no_pong(self) -> None:
        self._ponged("it does not answer")
        self._requests()

    def _ponged(self, state: str) -> None:
        self.over()
        self._timer = None
        self._pinging = False
        request = self._request
        assert request is not None  # noqa: S101 (it is why we asked)
        self._answer(*local.answer(self._connection.server, request.method, request.target, state))

    def _answer(self, status: int, body: bytes) -> None:
        """Answer without the engine. Where the request's body is not complete, that is the connection's end."""
        fields = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
        if status == 405:
            fields.append(("Allow", "GET"))
        if status == 400 or self._down.their_state in (h11.SEND_BODY, h11.ERROR):
            fields.append(("Connection", "close"))
        self._leave_engine()
        send, write = self._down.send, self._connection.client.write
        head = send(h11.Response(status_code=status, headers=fields))
        if self._request is not None and self._request.method == b"HEAD":
            body = b""
        write(head + send(h11.Data(data=body)) + send(h11.EndOfMessage()))
        self._next()

    def _bad_request(self, error: h11.RemoteProtocolError) -> None:
        log(INFO, f"{self._connection.address}: a bad request: {error}")
        if self._down.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            self._answer(error.error_status_hint, local.message(f"bad request: {error}"))
        else:
            self._connection.close()

    def _next(self) -> None:
        """This request is answered: the next one, or the end."""
        self._leave_engine()
        self._request = self._reply = None
        self._ahead = 0
        down = self._down
        if down.our_state is h11.DONE and down.their_state is h11.DONE:
            down.start_next_cycle()
        else:
            self._connection.farewell()
