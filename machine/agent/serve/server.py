"""Accepts clients, and is told to reload or to stop by signals."""

from __future__ import annotations

import errno
import functools
import os
import resource
import signal
import socket
import time

from machine.agent.serve import systemd
from machine.agent.serve.connection import Connection, Handshake
from machine.agent.serve.identity import Identity, Source, Unusable
from machine.agent.serve.log import ERROR, NOTICE, WARNING, log
from machine.agent.serve.loop import READ, Loop
from machine.agent.version import VERSION

BACKLOG = 4096
ACCEPTS_PER_TURN = 32
MAX_STRANGERS = 512  # clients in their handshake; beyond it the one that takes longest is dropped
DRAIN_SECONDS = 3  # what open streams get when we are told to stop


class Server:
    """The endpoint: listening sockets, the connections they gave, and the identity shown to new ones."""

    def __init__(
        self, source: Source, listeners: list[socket.socket], engine_path: str, digest: str, unit: str
    ) -> None:
        """
        Args:
            source: an `identity.Source`: where certificate, key, CA and owner are.
            listeners: bound sockets; made non-blocking here.
            engine_path: the engine's Unix socket.
            digest: SHA-256 of the agent that is running.
            unit: what the unit file says of itself, to be reported.

        Raises:
            Unusable: there is no certificate to serve with.
        """
        self.loop = Loop()
        self.started = time.time()
        self.engine_path, self.digest, self._unit = engine_path, digest, unit
        self._source = source
        self.identity: Identity = source.load()
        self._connections: set[Connection] = set()
        self._strangers: dict[Connection, None] = {}  # in the order in which they came
        self._listeners = listeners
        self._stopping = False
        for sock in listeners:
            sock.setblocking(False)
            # Accepted sockets inherit these. Probes find clients that vanished during a quiet stream.
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 60)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 15)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 4)
            self.loop.watch(sock.fileno(), READ, functools.partial(self._on_listener, sock))

    def run(self) -> None:
        """Serve until SIGTERM."""
        _raise_descriptor_limit()
        self._listen_to_signals()
        interval = systemd.watchdog_interval()
        if interval:
            self._feed_watchdog(interval)
        systemd.notify(f"READY=1\n{self._status()}")
        names = ", ".join(f"{sock.getsockname()[0]} port {sock.getsockname()[1]}" for sock in self._listeners)
        log(NOTICE, f"agent {VERSION} serves {self.identity.machine} on {names} for {self.engine_path}")
        self.loop.run()

    def admitted(self, connection: Connection) -> None:
        """This one has shown who it is."""
        self._strangers.pop(connection, None)

    def forget(self, connection: Connection) -> None:
        """This one is closed."""
        self._strangers.pop(connection, None)
        self._connections.discard(connection)
        if self._stopping and not self._connections:
            self.loop.stop()

    def _on_listener(self, listener: socket.socket, _mask: int) -> None:
        self._accept(listener)

    def _accept(self, listener: socket.socket) -> None:
        for _ in range(ACCEPTS_PER_TURN):
            try:
                sock, address = listener.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM):
                    self._pause(listener, error)
                return  # else: that one client was gone before we looked
            sock.setblocking(False)
            if len(self._strangers) >= MAX_STRANGERS:
                next(iter(self._strangers)).close()
            host, port = address[:2]
            host = host[7:] if host.startswith("::ffff:") else host
            connection = Connection(self, sock, f"[{host}]:{port}" if ":" in host else f"{host}:{port}")
            self._connections.add(connection)
            self._strangers[connection] = None

    def _pause(self, listener: socket.socket, error: OSError) -> None:
        """Out of descriptors or memory: without a pause the waiting client would wake us without end."""
        log(ERROR, f"cannot accept clients for a second: {error.strerror}")
        self.loop.change(listener.fileno(), 0)
        self.loop.later(1, lambda: self.loop.change(listener.fileno(), READ))

    def _listen_to_signals(self) -> None:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        theirs.setblocking(False)
        signal.set_wakeup_fd(theirs.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: None)
        self._signals = (ours, theirs)  # kept open
        self.loop.watch(ours.fileno(), READ, lambda _mask: self._on_signals(ours.recv(64)))

    def _on_signals(self, numbers: bytes) -> None:
        if signal.SIGHUP in numbers:
            self._reload()
        if signal.SIGTERM in numbers or signal.SIGINT in numbers:
            self._stop()

    def _reload(self) -> None:
        """Take new certificates for new connections; the open ones live on with what they were opened with."""
        systemd.notify("RELOADING=1\n" + f"MONOTONIC_USEC={time.monotonic_ns() // 1000}")
        try:
            self.identity = self._source.load()
        except Unusable as error:
            log(ERROR, f"reload: {error}; going on with what we have")
        else:
            log(NOTICE, "reloaded: new connections get the new certificate")
        systemd.notify(f"READY=1\n{self._status()}")

    def _stop(self) -> None:
        if self._stopping:
            return
        self._stopping = True
        systemd.notify("STOPPING=1")
        for sock in self._listeners:
            self.loop.close(sock)  # ours; systemd keeps its own, and new clients wait there
        for connection in list(self._connections):
            if isinstance(connection.phase, Handshake) or getattr(connection.phase, "idle", False):
                connection.close()
        if not self._connections:
            self.loop.stop()
            return
        log(WARNING, f"stopping: {len(self._connections)} open streams have {DRAIN_SECONDS} s")
        self.loop.later(DRAIN_SECONDS, self.loop.stop)

    def _feed_watchdog(self, interval: float) -> None:
        systemd.notify("WATCHDOG=1")
        self.loop.later(interval, lambda: self._feed_watchdog(interval))

    def _status(self) -> str:
        """What is running, for `systemctl show` and so for converge, which compares it with what is wanted."""
        return f"STATUS=agent {self.digest[:16]} identity {self.identity.digest[:16]} unit {self._unit}"


def _raise_descriptor_limit() -> None:
    try:
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (OSError, ValueError):
        pass


def bind(address: str) -> list[socket.socket]:
    """Listen on HOST:PORT ourselves, without systemd.

    Raises:
        OSError: it cannot be.
    """
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((host, int(port)))
    sock.listen(BACKLOG)
    os.set_inheritable(sock.fileno(), False)
    return [sock]
