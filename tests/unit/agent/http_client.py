"""A client of the endpoint, byte by byte: what a test says is what goes out, and what comes is taken apart by h11."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field

import h11

GET_INFO = b"GET /info HTTP/1.1\r\nHost: web1\r\n\r\n"


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes = b""
    interim: list[int] = field(default_factory=list)
    trailers: dict[str, str] = field(default_factory=dict)


class Talk:
    """One connection, any number of answers."""

    def __init__(self, sock: ssl.SSLSocket) -> None:
        self.sock = sock
        self._parser: h11.Connection | None = None
        self._early = b""

    def ask(self, request: bytes, method: str = "GET") -> Answer:
        self.sock.sendall(request)
        return self.answer(method)

    def answer(self, method: str = "GET") -> Answer:
        parser = h11.Connection(h11.CLIENT, max_incomplete_event_size=1 << 20)
        parser.send(h11.Request(method=method, target="/", headers=[("Host", "x")]))
        parser.send(h11.EndOfMessage())
        if self._early:
            parser.receive_data(self._early)
        self._early = b""
        answer = Answer(0, {})
        while True:
            event = parser.next_event()
            if event is h11.NEED_DATA:
                data = self.sock.recv(65536)
                parser.receive_data(data)
            elif isinstance(event, h11.InformationalResponse):
                answer.interim.append(event.status_code)
            elif isinstance(event, h11.Response):
                answer.status = event.status_code
                answer.headers = {name.decode(): value.decode() for name, value in event.headers}
            elif isinstance(event, h11.Data):
                answer.body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                answer.trailers = {name.decode(): value.decode() for name, value in event.headers}
                self._early = parser.trailing_data[0]
                return answer
            else:
                raise AssertionError(f"no answer but {event}")

    def at_end(self) -> bool:
        """Whether the agent has ended the connection, properly."""
        return self.sock.recv(1) == b""


def chunked(*pieces: bytes, trailers: bytes = b"") -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n" + trailers + b"\r\n"
