"""An HTTP proxy for a host's package manager: it fetches and counts, nothing else."""

from __future__ import annotations

import http.client
import threading
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_PASSED_ON = ("accept", "cache-control", "if-modified-since", "if-range", "range", "user-agent")
_PASSED_BACK = ("content-length", "content-range", "content-type", "date", "etag", "last-modified", "accept-ranges")


class Proxy(ThreadingHTTPServer):
    """A running proxy; ``seen`` are the host names that were asked for."""

    daemon_threads = True

    def __init__(self, address: str) -> None:
        super().__init__((address, 0), _Handler)
        self.seen: list[str] = []

    @property
    def url(self) -> str:
        """What ``http_proxy`` is set to."""
        return f"http://{self.server_address[0]!s}:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Proxy

    def do_GET(self) -> None:
        target = urllib.parse.urlsplit(self.path)
        self.server.seen.append(target.hostname or "")
        upstream = http.client.HTTPConnection(target.hostname or "", target.port or 80, timeout=60)
        headers = {name: value for name, value in self.headers.items() if name.lower() in _PASSED_ON}
        upstream.request("GET", target.path + (f"?{target.query}" if target.query else ""), headers=headers)
        answer = upstream.getresponse()
        body = answer.read()
        self.send_response_only(answer.status, answer.reason)
        for name, value in answer.getheaders():
            if name.lower() in _PASSED_BACK and name.lower() != "content-length":
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        upstream.close()

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""


@contextmanager
def proxy(address: str) -> Iterator[Proxy]:
    """A proxy on this address for the time of a test."""
    server = Proxy(address)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
