"""Many booted hosts for the rows about fleets: made side by side, counted, and cleared between two runs."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from machine.bootstrap import session
from machine.bootstrap.stub import command as bootstrap_command
from machine.deadline import Deadline
from machine.ssh.connection import Connection, connect
from machine.ssh.credentials import Credentials
from machine.ssh.hostkeys import HostKeyPolicy
from tests.testbed.host import Host, make_host, make_key

PEERS_PORT = 9310
AGENTS_PORT = 2376
_AT_ONCE = 8
_BOOT_SECONDS = 300.0
_READY = (
    "echo LogLevel VERBOSE >/etc/ssh/sshd_config.d/bench.conf && systemctl reload ssh &&"
    " for try in $(seq 600); do docker info >/dev/null 2>&1 && exit; sleep 0.1; done; exit 1"
)
_CONNECTIONS = "journalctl --sync; journalctl -u ssh -o cat | grep -c '^Connection from' || :"
_MAGIC = "python3 -c 'import importlib.util; print(importlib.util.MAGIC_NUMBER.hex())'"
_CLEAR = (
    "systemctl disable --now peer.service 2>/dev/null; rm -rf /opt/peer /etc/systemd/system/peer.service"
    " ~/.ansible; systemctl daemon-reload"
)
T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Hosts:
    """The hosts, and the key that may log in to all of them."""

    all: Sequence[Host]
    key: Path
    known_hosts: Path

    def each(self, action: Callable[[Host], T]) -> list[T]:
        """Do something with each, side by side."""
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            return list(pool.map(action, self.all))

    def connections(self) -> list[int]:
        """How many connections each host's SSH server has logged, this one included."""
        return [int(said) for said in self.each(lambda host: self._run(host, _CONNECTIONS))]

    def magic(self) -> str:
        """Of the bytecode of their Python, in hexadecimal; they are all made alike."""
        return self._run(self.all[0], _MAGIC).strip()

    def clear_peers(self) -> None:
        """Take away what the peers have brought."""
        self.each(lambda host: self._run(host, _CLEAR))

    def clear_agents(self, store: str) -> None:
        """Take away agents that no store of pymachine's has recorded, as `rm` does it."""

        def clear(host: Host) -> None:
            wanted = {"store": store, "machine": host.name, "deadline": 60}
            with (
                self._connected(host) as connection,
                connection.open(bootstrap_command(False), Deadline(60)) as channel,
            ):
                session.uninstall(channel, wanted, emit=lambda *_: None)

        self.each(clear)

    def refuse_silent(self, port: int) -> None:
        """
        Raises:
            AssertionError: one of them does not listen on a port.
        """
        for host in self.all:
            try:
                socket.create_connection((host.address, port), timeout=5).close()
            except OSError as error:
                raise AssertionError(f"{host.name}: port {port}: {error}") from error

    def _run(self, host: Host, command: str) -> str:
        with self._connected(host) as connection:
            done = connection.run(command, Deadline(_BOOT_SECONDS))
        if done.exit_status != 0:
            raise AssertionError(f"{host.name}: {command!r} exits {done.exit_status}: {done.stderr.decode()}")
        return done.stdout.decode()

    @contextmanager
    def _connected(self, host: Host) -> Iterator[Connection]:
        with connect(
            host.address, 22, "root", policy=HostKeyPolicy(pinned=(host.host_key,)),
            credentials=Credentials(machine_key=str(self.key)), deadline=Deadline(_BOOT_SECONDS), patient=True,
        ) as connection:  # fmt: skip
            yield connection


@contextmanager
def booted(count: int, directory: Path) -> Iterator[Hosts]:
    """So many hosts whose engines answer; they are gone afterwards.

    Args:
        directory: for the key and the file of known hosts.
    """
    key = directory / "id_ed25519"
    line = make_key(key)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        boots = [
            pool.submit(make_host, kind="docker", name=f"bench-{number}", authorized_keys=[line])
            for number in range(1, count + 1)
        ]
        made: list[Host] = []
        try:
            made += [boot.result() for boot in boots]
            known = directory / "known_hosts"
            known.write_text("".join(f"{host.address} {host.host_key}\n" for host in made))
            hosts = Hosts(all=made, key=key, known_hosts=known)
            hosts.each(lambda host: hosts._run(host, _READY))
            _settle()
            yield hosts
        finally:
            for boot in boots:
                boot.cancel()
            there = [boot.result() for boot in boots if not boot.cancelled() and boot.exception() is None]
            list(pool.map(Host.remove, there))


def _settle() -> None:
    """Wait until boots are over: the processors were idle for a second. On a busy computer, for half a minute."""
    end = time.monotonic() + 30
    while time.monotonic() < end:
        before, then = _idle(), time.monotonic()
        time.sleep(1)
        if _idle() - before > 0.9 * (time.monotonic() - then):
            return


def _idle() -> float:
    """Seconds that a processor has been idle since the start, the mean of all."""
    fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()
    return int(fields[4]) / os.sysconf("SC_CLK_TCK") / (os.cpu_count() or 1)
