"""A real sshd on loopback, with a configuration, keys and a log of its own."""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SECONDS = 15
USER = getpass.getuser()


@dataclass
class Sshd:
    """A server that runs; users log in with what is in ``authorized_keys``."""

    directory: Path
    port: int
    process: subprocess.Popen[bytes]

    def log(self) -> str:
        """What it has logged so far."""
        return (self.directory / "log").read_text()

    def line(self, kind: str = "ed25519") -> str:
        """The public line of one of its host keys."""
        return public_line(self.directory / f"host_{kind}")

    def stop(self) -> None:
        """End the server and its sessions."""
        self.process.terminate()
        self.process.wait(SECONDS)


def public_line(private: Path) -> str:
    """The public half of a key file, without its comment."""
    return " ".join(private.with_suffix(".pub").read_text().split()[:2])


def make_key(path: Path, kind: str = "ed25519", passphrase: str = "") -> Path:
    """A new key pair, by ssh-keygen."""
    bits = ["-b", "2048"] if kind == "rsa" else []
    subprocess.run(["ssh-keygen", "-q", "-t", kind, *bits, "-N", passphrase, "-C", "", "-f", str(path)], check=True)
    return path


def free_port() -> int:
    """A port nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


def configure(directory: Path, port: int, *, kinds: tuple[str, ...], extra: str = "") -> list[str]:
    """Write keys and configuration; returns the command line that serves them."""
    for kind in kinds:
        if not (directory / f"host_{kind}").exists():
            make_key(directory / f"host_{kind}", kind)
    (directory / "authorized_keys").touch()
    lines = [  # the first value of a keyword counts
        extra,
        f"ListenAddress 127.0.0.1:{port}",
        f"PidFile {directory}/pid",
        f"AuthorizedKeysFile {directory}/authorized_keys",
        *(f"HostKey {directory}/host_{kind}" for kind in kinds),
        "StrictModes no",
        "UsePAM no",
        "PasswordAuthentication no",
        "KbdInteractiveAuthentication no",
        "PermitRootLogin prohibit-password",
        "LogLevel DEBUG1",
        "MaxStartups 200",
        f"SetEnv HOME={directory}",  # no start-up file of the developer's shell is read
    ]
    (directory / "config").write_text("\n".join(lines) + "\n")
    path = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")
    assert path is not None, "openssh-server is not installed"
    return [path, "-D", "-f", str(directory / "config"), "-E", str(directory / "log")]


@contextlib.contextmanager
def serving(
    directory: Path, *, kinds: tuple[str, ...] = ("ed25519",), extra: str = "", port: int = 0
) -> Iterator[Sshd]:
    """An sshd that has answered once."""
    directory.mkdir(exist_ok=True)
    port = port or free_port()
    with _separation():
        process = subprocess.Popen(configure(directory, port, kinds=kinds, extra=extra))
        try:
            wait_for_port(port)
            yield Sshd(directory, port, process)
        finally:
            process.terminate()
            process.wait(SECONDS)


@contextlib.contextmanager
def _separation() -> Iterator[None]:
    """The empty directory sshd wants to find when it is root; a service manager makes it elsewhere."""
    place = Path("/run/sshd")
    made = os.geteuid() == 0 and not place.exists()
    if made:
        place.mkdir(mode=0o755)
    yield
    if made:
        with contextlib.suppress(OSError):
            place.rmdir()


def wait_for_port(port: int) -> None:
    """Until somebody listens on loopback."""
    end = time.monotonic() + SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            assert time.monotonic() < end, f"nothing listens on {port}"
            time.sleep(0.01)
