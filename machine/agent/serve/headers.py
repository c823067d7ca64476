"""What of a message's head is passed on. h11 has parsed it, and h11 writes what is kept: never the bytes that came.

Framing is one hop's business: Content-Length and Transfer-Encoding of the parsed message decide how it is written
again, and a request that says both is refused (two programs that read it differently are request smuggling).
"""

from __future__ import annotations

import re

import h11

_HOP_BY_HOP = frozenset((b"connection", b"keep-alive", b"proxy-connection", b"te", b"upgrade"))
# What "Connection: …" cannot remove: without these the request would be another one.
_NOT_REMOVABLE = frozenset((b"host", b"content-length", b"transfer-encoding", b"expect", b"upgrade"))
# Where the engine may answer 200 without a length and then speak raw: Docker's way before it knew 101.
_HIJACKED = re.compile(rb"(?:/v[0-9.]+)?/(?:containers/[^/]+/attach|exec/[^/]+/start|session|grpc)(?:\?.*)?\Z")


def complaint(request: h11.Request) -> str | None:
    """Why this request is not passed on; None when it is."""
    names = {name for name, _ in request.headers}
    if request.http_version not in (b"1.0", b"1.1"):
        return "HTTP/1.1 is spoken here"
    if request.method == b"CONNECT" or (request.target[:1] != b"/" and request.target != b"*"):
        return "only a path can be asked for"
    if b"transfer-encoding" in names:
        if b"content-length" in names:
            return "Content-Length beside Transfer-Encoding"
        if request.http_version < b"1.1":
            return "Transfer-Encoding in HTTP/1.0"
    return None


def request_for_engine(request: h11.Request) -> h11.Request:
    """The same request as its next hop gets it. One engine connection serves one request."""
    options = _tokens(request, b"connection")
    upgrade = b"upgrade" in options
    dropped = _HOP_BY_HOP | (options - _NOT_REMOVABLE)
    kept = [
        item
        for item in request.headers.raw_items()
        if item[0].lower() not in dropped or (upgrade and item[0].lower() == b"upgrade")
    ]
    if all(name.lower() != b"host" for name, _ in kept):
        kept.insert(0, (b"Host", b"docker"))  # HTTP/1.0 needs none, and we speak 1.1
    kept.append((b"Connection", b"Upgrade" if upgrade else b"close"))
    return h11.Request(method=request.method, target=request.target, headers=kept)


def response_for_client(response: h11.Response) -> h11.Response:
    """The same response as the client gets it; h11 adds what its connection to the client needs."""
    dropped = _HOP_BY_HOP | (_tokens(response, b"connection") - _NOT_REMOVABLE)
    kept = [item for item in response.headers.raw_items() if item[0].lower() not in dropped]
    return h11.Response(status_code=response.status_code, headers=kept, reason=response.reason)


def trailers(event: h11.EndOfMessage) -> list[tuple[bytes, bytes]]:
    """The trailers that may be passed on: none that would say how a message is framed or routed."""
    refused = _HOP_BY_HOP | _NOT_REMOVABLE
    return [item for item in event.headers.raw_items() if item[0].lower() not in refused]


def is_hijack(request: h11.Request, response: h11.Response) -> bool:
    """Whether what follows this 200 is not HTTP but a raw stream in both directions."""
    return (
        response.status_code == 200
        and request.method == b"POST"
        and _HIJACKED.match(request.target) is not None
        and not any(name in (b"content-length", b"transfer-encoding") for name, _ in response.headers)
    )


def raw_head(response: h11.Response) -> bytes:
    """The head of a hijacking 200 as bytes: h11 would promise a chunked body, and there is none."""
    lines = [b"HTTP/1.1 %d %s" % (response.status_code, response.reason)]
    lines += [b"%s: %s" % item for item in response_for_client(response).headers.raw_items()]
    return b"\r\n".join(lines) + b"\r\n\r\n"


def _tokens(message: h11.Request | h11.Response, name: bytes) -> frozenset[bytes]:
    values = b",".join(value for found, value in message.headers if found == name)
    return frozenset(token.strip().lower() for token in values.split(b","))
