"""A host in a directory: the real stub, loader and agent as children, files below one root, a fake systemd.

What is faked is what a unit test cannot have: systemd (a script that remembers, and reports as the service would) and
the engine (a Unix socket that answers /_ping and /version). Everything else, and every file, is real.
"""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from machine.bootstrap import stub as stubs

PYTHON = os.environ.get("AGENT_PYTHON", sys.executable)  # to run these tests' agents on a 3.8
SYSTEMCTL = Path(__file__).with_name("fake_systemctl.py")


class FakeHost:
    """A root directory, a place for commands, and an engine when wanted."""

    def __init__(self, place: Path, *, engine: bool = True, systemd: int = 252) -> None:
        self.root = place / "root"
        self.bin = place / "bin"
        for directory in ("run/systemd/system", "etc/systemd/system", "var/lib/dpkg", "root"):
            (self.root / directory).mkdir(parents=True)
        self.bin.mkdir()
        self.systemd = systemd
        self.docker_start = 5
        self.engine_server = "Docker/20.10.24 (linux)"  # what its answers say they are from
        self.engine_says = {"Version": "20.10.24", "ApiVersion": "1.41", "Components": [{"Name": "Engine"}]}
        self.asked: list[str] = []  # of the engine
        self.write_systemctl()
        self.command("journalctl", "echo 'what the journal says'")
        self.login_shell = "/bin/sh"  # of the account: what sshd runs the command with
        self.shell = "sh"  # what the command calls sh
        self.pythons: tuple[str, ...] = ("python3",)
        self.channels: list[LocalChannel] = []
        self._listeners: list[socket.socket] = []
        os.symlink(PYTHON, self.bin / "python3")
        if engine:
            self.start_engine()

    def write_systemctl(self) -> None:
        fixed = f"{sys.executable} -I -S {SYSTEMCTL} {self.root} {self.systemd} {self.docker_start}"
        self.command("systemctl", f'exec {fixed} "$@"')

    def command(self, name: str, body: str) -> None:
        """A command that exists on the host, as a shell script."""
        path = self.bin / name
        path.unlink(missing_ok=True)
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)

    def start_engine(self) -> None:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(self.root / "run/docker.sock"))
        listener.listen(16)
        self._listeners.append(listener)

        def serve() -> None:
            while True:
                try:
                    sock, _ = listener.accept()
                except OSError:
                    return
                with sock:
                    page = sock.recv(65536).decode().split()[1]
                    self.asked.append(page)
                    body = "OK" if page == "/_ping" else json.dumps(self.engine_says)
                    head = f"HTTP/1.0 200 OK\r\nServer: {self.engine_server}\r\nApi-Version: 1.41\r\n"
                    sock.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode())

        threading.Thread(target=serve, daemon=True).start()

    def start_engine_when(self, path: Path) -> None:
        """The engine comes up once this file is there: with the package that was installed."""

        def wait() -> None:
            while not path.exists():
                time.sleep(0.01)
            self.start_engine()

        threading.Thread(target=wait, daemon=True).start()

    @property
    def script(self) -> bytes:
        return stubs.stub(f"{self.bin}:/usr/bin:/bin", self.pythons)

    def channel(self, *, sudo: bool = False) -> LocalChannel:
        line = stubs.command(sudo, self.script).replace("sh -c", f"{self.shell} -c", 1)
        environment = {"PATH": f"{self.bin}:/usr/bin:/bin", "HOME": str(self.root / "root")}
        channel = LocalChannel(line, environment, self.login_shell)
        self.channels.append(channel)
        return channel

    def close(self) -> None:
        for channel in self.channels:
            channel.close()
        for listener in self._listeners:
            listener.close()

    def own(self, name: str) -> Path:
        return self.root / "var/lib/pymachine-agent" / name

    def file(self, path: str, content: str) -> Path:
        """A file of the host's own."""
        place = self.root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(content)
        return place

    def state(self) -> dict[str, Any]:
        return json.loads(self.own("state.json").read_text())

    def systemctl_calls(self) -> list[list[str]]:
        path = self.root / "systemd.json"
        return json.loads(path.read_text())["calls"] if path.exists() else []

    def files(self) -> dict[str, tuple[Any, ...]]:
        """Every file with mode, content and modification time; /run and what the fakes keep for themselves left out."""
        found: dict[str, tuple[Any, ...]] = {}
        for path in sorted(self.root.rglob("*")):
            about = path.lstat()
            name = str(path.relative_to(self.root))
            if (
                name.startswith("run/")
                or path.name == "systemd.json"
                or stat.S_ISSOCK(about.st_mode)
                or stat.S_ISDIR(about.st_mode)
            ):
                continue
            content = os.readlink(path) if path.is_symlink() else path.read_bytes()
            found[name] = (oct(about.st_mode), content, about.st_mtime_ns)
        return found


class LocalChannel:
    """The bootstrap's channel over a child process: what SSH is in life. It can be cut at any byte."""

    def __init__(self, command: str, environment: dict[str, str], shell: str = "/bin/sh") -> None:
        self._process = subprocess.Popen(
            [shell, "-c", command],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
        )
        self.sent = 0
        self.received = b""
        self.cut_after: int | None = None  # bytes of ours, after which the line is dead
        self.cut_after_received: int | None = None

    def send(self, data: bytes) -> None:
        assert self._process.stdin is not None
        if self.cut_after is not None and self.sent + len(data) > self.cut_after:
            data = data[: max(0, self.cut_after - self.sent)]
            self._write(data)
            self._cut()
            return
        self._write(data)

    def _write(self, data: bytes) -> None:
        if self._process.stdin.closed:
            raise BrokenPipeError("cut")
        self._process.stdin.write(data)
        self._process.stdin.flush()
        self.sent += len(data)

    def _cut(self) -> None:
        """Both directions at once, as when the network goes away."""
        if not self._process.stdin.closed:
            self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(30)

    def close_stdin(self) -> None:
        self._process.stdin.close()

    def recv(self, max_bytes: int) -> bytes:
        if self._process.stdout.closed:
            return b""
        data = os.read(self._process.stdout.fileno(), max_bytes)
        self.received += data
        if self.cut_after_received is not None and len(self.received) >= self.cut_after_received:
            self._cut()
        return data

    def stderr(self) -> bytes:
        self._process.wait(30)
        assert self._process.stderr is not None
        return b"" if self._process.stderr.closed else self._process.stderr.read()

    def exit_status(self) -> int:
        return self._process.wait(30)

    def close(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None and not pipe.closed:
                try:
                    pipe.close()
                except OSError:
                    pass
        self._process.wait(30)
