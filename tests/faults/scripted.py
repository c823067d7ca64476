"""A host that speaks the bootstrap's protocol from a script, and remembers in a directory what it was made to be.

The operator's side of an operation is the real one, to the last line it sends; only SSH and what is behind it are
played. A host costs nothing, so an operation can be killed at every point of it.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from machine.bootstrap.stub import command as bootstrap_command
from machine.deadline import Deadline
from machine.errors import HostKeyRejected, HostUnreachable
from machine.operations.endpoint import Health
from machine.ssh.connection import Completed
from machine.ssh.hostkeys import Verdict
from machine.trust.sshkeys import fingerprint, new_private_key, public_line

VARIABLE = "SCRIPTED_HOST"
HEALTH = Health(agent_version="1", engine_version="20.10.24", engine_trouble="")
_STEPS = ("facts", "engine", "identity", "service")


class ScriptedHost:
    """What is on the host, as files of a directory: ``agent``, ``names`` (of its certificate), ``boot``."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)

    def read(self, name: str) -> str:
        path = self.directory / name
        return path.read_text() if path.exists() else ""

    def write(self, name: str, text: str) -> None:
        temporary = self.directory / f"{name}.{os.getpid()}.{threading.get_ident()}.new"  # many may make the same key
        temporary.write_text(text)
        temporary.rename(self.directory / name)

    def clear(self) -> None:
        for name in ("agent", "names"):
            (self.directory / name).unlink(missing_ok=True)

    @property
    def has_agent(self) -> bool:
        return bool(self.read("agent") or self.read("names"))

    def key(self) -> str:
        """The SSH host key that it shows; that of a host somebody gave us is the same for ever."""
        if not self.read("key"):
            self.write("key", public_line(new_private_key()))
        return self.read("key")

    @classmethod
    def made_with(cls, place: Path, key: str) -> ScriptedHost:
        """The host that a driver made with this host key, or that has taken it since."""
        name = fingerprint(key).replace("/", "-")
        host = cls(place / name)
        if origin := host.read("origin"):
            return cls(place / origin)
        if not host.read("key"):
            host.write("key", key)
        return host

    def new_key(self) -> str:
        """A key that it has made, and does not show yet; known by it from then on."""
        if not self.read("new_key"):
            self.write("new_key", public_line(new_private_key()))
            later = ScriptedHost(self.directory.parent / fingerprint(self.read("new_key")).replace("/", "-"))
            later.write("origin", self.directory.name)
        return self.read("new_key")


class ScriptedChannel:
    """The host's end of one bootstrap."""

    def __init__(self, host: ScriptedHost) -> None:
        self._host = host
        self._turn = self._preamble
        self._lines: list[bytes] = []
        self._document: dict[str, Any] = {}

    def send(self, data: bytes) -> None:
        self._turn(data)

    def recv(self, max_bytes: int) -> bytes:
        return self._lines.pop(0) if self._lines else b""

    def close_stdin(self) -> None:
        pass

    def stderr(self) -> bytes:
        return b""

    def exit_status(self) -> int:
        return 0

    def __enter__(self) -> ScriptedChannel:
        return self

    def __exit__(self, *error: object) -> None:
        pass

    def _say(self, **line: Any) -> None:
        self._lines.append(json.dumps(line).encode() + b"\n")

    def _preamble(self, data: bytes) -> None:
        have = bool(self._host.read("agent"))
        offer = json.loads(data.splitlines()[-1])
        self._turn = self._wanted if have else self._agent
        self._say(hello=1, have=have, bytecode=not have and "bytecode" in offer)

    def _agent(self, data: bytes) -> None:
        self._host.write("agent", str(len(data)))
        self._turn = self._wanted

    def _wanted(self, data: bytes) -> None:
        self._document = json.loads(data)
        if self._document["action"] == "uninstall":
            self._host.clear()
            self._say(result={"removed": ["the agent"], "kept": []})
            return
        if self._document["action"] == "clean":
            self._say(step="clean", status="progress", text="removing keys, identity and logs", elapsed=0.1)
            self._host.write("cleaned", "yes")
            self._say(result={"kept": ["agents"]})
            return
        if self._document["action"] == "upgrade":
            self._upgrade()
            return
        if self._document.get("host_key"):
            self._host_key()
        else:
            self._rest()

    def _host_key(self) -> None:
        exposed = self._host.key() in self._document["host_key"]["replace"]
        self._turn = self._believed if exposed else self._taken
        self._say(need="host_key", public_key=self._host.new_key() if exposed else self._host.key(), taken=not exposed)

    def _believed(self, data: bytes) -> None:
        self._host.write("key", json.loads(data)["pinned"])
        self._turn = self._taken
        self._say(need="host_key", public_key=self._host.key(), taken=True)

    def _taken(self, data: bytes) -> None:
        assert json.loads(data)["pinned"] == self._host.key()
        self._rest()

    def _rest(self) -> None:
        for step in _STEPS:
            self._say(step=step, status="progress", text=f"{step} is as wanted", elapsed=0.1)
        if self._host.read("names") == json.dumps(self._document["certificate"]["names"]):
            self._result()
            return
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ec

        public = ec.generate_private_key(ec.SECP256R1()).public_key()
        form = (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        self._say(need="certificate", public_key=public.public_bytes(*form).decode())
        self._turn = self._certificate

    def _upgrade(self) -> None:
        """There is one newer engine, and then none."""
        before, after = self._host.read("engine") or "20.10.24", "20.10.25"
        self._host.write("engine", after)
        package = {"package": "docker.io", "package_before": f"{before}-1", "package_version": f"{after}-1"}
        self._say(result={"kind": "docker", "before": before, "after": after, "changed": before != after, **package})

    def _certificate(self, data: bytes) -> None:
        self._host.write("names", json.dumps(json.loads(data)["names"]))
        self._result()

    def _result(self) -> None:
        facts = {"os": "Debian 12", "arch": "x86_64", "kernel": "6.1", "cpus": 2, "memory": 1 << 30, "python": "3.11"}
        agent = {"version": "1", "sha256": "0" * 64, "changed": False}
        version = self._host.read("engine") or "20.10.24"
        engine = {"kind": "docker", "version": version, "api_version": "1.41", "source": "found", "package": None}
        rest = {"endpoint": {"port": 2376}, "clock_skew": 0.0, "changed": [], "installed": []}
        self._say(result={"agent": agent, "engine": engine, **rest, **facts})


class ScriptedShell:
    """A real shell that takes a directory for the host's root: what it is asked to do happens, and only there."""

    def __init__(self, host: ScriptedHost, command: str) -> None:
        self._root = host.directory / "root"
        self._root.mkdir(exist_ok=True)
        self._command = command
        self._sent = b""
        self._said = b""
        self._status = -1

    def send(self, data: bytes) -> None:
        self._sent += data

    def close_stdin(self) -> None:
        size = int(re.search(r"count=(\d+)", self._command)[1])  # type: ignore[index]
        script = self._sent[:size].replace(b"\ntarget=/", b"\ntarget=" + os.fsencode(self._root) + b"/")
        command = self._command.replace(f"count={size}", f"count={len(script)}")
        done = subprocess.run(
            ["sh", "-c", command], input=script + self._sent[size:], cwd=self._root, capture_output=True, check=False
        )
        self._said, self._status = done.stdout, done.returncode

    def recv(self, max_bytes: int) -> bytes:
        said, self._said = self._said[:max_bytes], self._said[max_bytes:]
        return said

    def stderr(self) -> bytes:
        return b""

    def exit_status(self) -> int:
        return self._status

    def __enter__(self) -> ScriptedShell:
        return self

    def __exit__(self, *error: object) -> None:
        pass


class ScriptedConnection:
    """What an operation has of an SSH connection."""

    def __init__(self, host: ScriptedHost, address: str, port: int | None, user: str | None, key: str) -> None:
        self._host = host
        self.host, self.port, self.user = address, port or 22, user or "root"
        self.verdict = Verdict(key, "pinned")

    def open(self, command: str, deadline: Deadline) -> ScriptedChannel | ScriptedShell:
        deadline.check()
        bootstrap = (bootstrap_command(False), bootstrap_command(True))
        return ScriptedChannel(self._host) if command in bootstrap else ScriptedShell(self._host, command)

    def run(self, command: str, deadline: Deadline, stdin: bytes = b"") -> Completed:
        deadline.check()
        if "reboot" in command:
            self._host.write("boot", str(int(self._host.read("boot") or 0) + 1))
        return Completed(0, f"boot-{self._host.read('boot')}".encode(), b"")

    def close(self) -> None:
        pass

    def __enter__(self) -> ScriptedConnection:
        return self

    def __exit__(self, *error: object) -> None:
        pass


def install() -> None:
    """In this process, every host is a scripted one."""
    given = ScriptedHost(Path(os.environ[VARIABLE]))

    def reach(address: str, *, port: int | None, user: str | None, pinned: tuple[str, ...] = (), **_: Any) -> Any:
        # A host that a driver made is known by the key it was made with: a start gives it another address.
        known = given.key() if not pinned else pinned[0]
        host = given if known == given.key() else ScriptedHost.made_with(given.directory, known)
        if pinned and host.key() not in pinned:
            raise HostKeyRejected("the host shows another key", cause=f"{host.key()}, not {', '.join(pinned)}")
        if host.read("cleaned"):  # it has no host key any more
            raise HostUnreachable("the host closes the connection", layer="ssh")
        return ScriptedConnection(host, address, port, user, host.key())

    def answers(*_: Any, **__: Any) -> Health:
        return HEALTH

    played = {"reach": reach, "verify_endpoint": answers, "ask_health": answers, "ask_engine": answers}
    found = set()
    for name, module in list(sys.modules.items()):
        if name.startswith("machine.operations."):  # wherever one of them was imported by its name
            for each in played.keys() & vars(module).keys():
                setattr(module, each, played[each])
                found.add(each)
    assert found == set(played)
