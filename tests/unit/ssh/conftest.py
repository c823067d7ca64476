"""One sshd for all tests that do not change it, a key that it lets in, and a short way to connect."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from machine.deadline import Deadline
from machine.ssh.connection import Connection, connect
from machine.ssh.credentials import Credentials
from machine.ssh.hostkeys import HostKeyPolicy
from tests.unit.ssh.sshd import USER, Sshd, make_key, public_line, serving

Connect = Callable[..., Connection]


@pytest.fixture(scope="session")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """A server with a host key of each type."""
    with serving(tmp_path_factory.mktemp("sshd"), kinds=("ed25519", "ecdsa", "rsa")) as server:
        yield server


@pytest.fixture(scope="session")
def key(sshd: Sshd) -> Path:
    """A private key that the server lets in."""
    path = make_key(sshd.directory / "user")
    let_in(sshd, path)
    return path


def let_in(server: Sshd, private: Path) -> None:
    """Add a key to those that may log in."""
    with open(server.directory / "authorized_keys", "a") as file:
        file.write(public_line(private) + "\n")


@pytest.fixture
def log_in(sshd: Sshd, key: Path) -> Iterator[Connect]:
    """Connect to the server, or to another one, with a pinned key unless told otherwise; all closed at the end."""
    opened: list[Connection] = []

    def log_in(server: Sshd = sshd, *, seconds: float = 20, **changes: Any) -> Connection:
        settings: dict[str, Any] = {
            "credentials": Credentials(machine_key=str(key)),
            "deadline": Deadline(seconds),
            "host": "127.0.0.1",
            "port": server.port,
            "user": USER,
            **changes,
        }
        if "policy" not in settings:
            settings["policy"] = HostKeyPolicy(pinned=(server.line(),))
        connection = connect(**settings)
        opened.append(connection)
        return connection

    yield log_in
    for connection in opened:
        connection.close()
