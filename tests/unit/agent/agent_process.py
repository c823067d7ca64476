"""The agent as a host runs it: the built zipapp, a process of its own, in front of a fake engine."""

from __future__ import annotations

import json
import os
import queue
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pki
import pytest

PYTHON = os.environ.get("AGENT_PYTHON", sys.executable)  # to run these tests' agents on a 3.8
T = TypeVar("T")


class Agent:
    """A running `serve`."""

    def __init__(self, zipapp: Path, place: Path, authority: pki.Authority) -> None:
        self.directory = place
        self.authority = authority
        pki.write(place, cert=authority.server(), key=pki.key_pem("server"), ca=authority.pem)
        (place / "state.json").write_text(json.dumps({"owner": {"store": pki.STORE, "machine": pki.MACHINE}}))
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        command = [PYTHON, "-I", "-S", str(zipapp), "serve", f"--directory={place}", f"--listen=127.0.0.1:{self.port}"]
        self.process = subprocess.Popen([*command, f"--engine={place}/engine.sock"], stderr=subprocess.PIPE)
        self.lines: list[str] = []
        self._clients: list[socket.socket] = []
        self._queue: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read_log, daemon=True).start()
        self.log_line("serves")
        self.descriptors_at_rest = self.descriptors()

    def _read_log(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self._queue.put(line.decode())

    def log_line(self, wanted: str, timeout: float = 10) -> str:
        """Wait for a line of the agent's log that contains this."""
        deadline = time.monotonic() + timeout
        while True:
            try:
                line = self._queue.get(timeout=max(0.01, deadline - time.monotonic()))
            except queue.Empty:
                pytest.fail(f"the agent never said {wanted!r}; it said {self.lines}")
            self.lines.append(line)
            if wanted in line:
                return line

    def context(self, certificate: bytes | None = None, name: str = "client") -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.load_verify_locations(cadata=self.authority.pem.decode())
        if certificate is not None:
            with tempfile.NamedTemporaryFile() as file:
                file.write(certificate + pki.key_pem(name))
                file.flush()
                context.load_cert_chain(file.name)
        return context

    def connect(self, certificate: bytes | None = None, name: str = "client") -> ssl.SSLSocket:
        """A client with a good certificate, unless told otherwise."""
        return self.wrap(self.context(certificate or self.authority.client(), name))

    def wrap(self, context: ssl.SSLContext) -> ssl.SSLSocket:
        # Debian's Python takes an end without close_notify for a clean one; here it must be told from that.
        context.options &= ~getattr(ssl, "OP_IGNORE_UNEXPECTED_EOF", 0)
        client = context.wrap_socket(self.connect_tcp(), suppress_ragged_eofs=False)
        self._clients.append(client)
        return client

    def connect_tcp(self) -> socket.socket:
        client = socket.create_connection(("127.0.0.1", self.port), timeout=10)
        self._clients.append(client)
        return client

    def memory(self) -> int:
        """Resident bytes."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return 1024 * int(status.partition("VmRSS:")[2].split()[0])

    def descriptors(self) -> int:
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def forget_log(self) -> None:
        """What was said so far is no longer waited for."""
        self.lines += self._said()

    def faults(self) -> list[str]:
        """What it logged as its own mistakes, ever."""
        self.forget_log()
        return [line for line in self.lines if "a fault of the agent" in line]

    def _said(self) -> list[str]:
        said = []
        while not self._queue.empty():
            said.append(self._queue.get())
        return said

    def drop_clients(self) -> None:
        """Close every connection that was made to it."""
        for client in self._clients:
            client.close()
        self._clients.clear()

    def stop(self) -> None:
        self.drop_clients()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(10)
        assert self.process.stderr is not None
        self.process.stderr.close()


def until(condition: Callable[[], T], timeout: float = 10) -> T:
    """Wait for something to become true, and return it."""
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        if value := condition():
            return value
        time.sleep(0.005)
    raise AssertionError("it never became true")
