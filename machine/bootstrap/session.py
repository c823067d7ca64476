"""One bootstrap, from the operator's side: stream what is missing, draw what the host says, sign once."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from machine.agent.version import newer
from machine.bootstrap import stub as stubs
from machine.bootstrap.bundle import AgentBundle, agent_bundle
from machine.bootstrap.bytecode import AgentBytecode, agent_bytecode
from machine.bootstrap.channel import Channel
from machine.bootstrap.lines import HostLines, clean
from machine.errors import BootstrapFailed, HostUnreachable

PROTOCOL = 1
_UPGRADED = ("kind", "before", "after", "package", "package_before", "package_version")

_HOST_KEY = re.compile(r"ssh-ed25519 [A-Za-z0-9+/]{60,80}={0,2}\Z")

Emit = Callable[[str, str, str, float], None]
"""``emit(step, status, text, elapsed)``: what the host reports, already harmless."""


@dataclass(frozen=True, slots=True)
class SignedCertificate:
    """The answer to a host's public key."""

    certificate: str  # PEM
    ca: str  # PEM: what the host shall believe of its clients


Sign = Callable[[str], SignedCertificate]
"""Signs over a public key in PEM. Nothing else of the certificate comes from the host."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineChange:
    """What a host would change of an engine's configuration; all text of it is harmless."""

    lines: tuple[tuple[str, str, str], ...]  # what, before, after
    containers: int  # that run now
    warnings: tuple[str, ...]


Pin = Callable[[str, bool], None]
"""``pin(key, taken)``: believe the host key (a public line) that a host has made, durably. Beside the old one, since it
may show either from now on; or, when it has taken it, alone."""

Consent = Callable[[EngineChange], None]
"""Comes back when it may be done; raises what the operation shall end with when not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostReport:
    """What a converge says at its end."""

    agent_version: str
    agent_sha256: str
    agent_changed: bool
    agent_kept: bool  # the host has a newer agent than ours, and keeps it
    engine_kind: str
    engine_version: str
    engine_api_version: str
    engine_source: str  # found, started, docker, distribution
    engine_package: str | None
    engine_package_version: str | None
    port: int
    facts: Mapping[str, Any]  # os, arch, kernel, cpus, memory, python
    clock_skew: float  # seconds the host is ahead
    changed: tuple[str, ...]  # one line for each thing that is now otherwise on the host
    installed: tuple[str, ...]  # packages that this converge installed
    agent_sent: bool  # False: the host had it
    owner: str | None = None  # the store whose host it is, where that is another one
    trust: str | None = None  # and its CA, PEM: the endpoint shows a certificate of that


@dataclass(frozen=True, slots=True, kw_only=True)
class Uninstalled:
    """What an uninstall says at its end."""

    removed: tuple[str, ...]
    kept: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Upgraded:
    """What an upgrade says at its end."""

    kind: str  # of the engine
    before: str  # its versions
    after: str
    package: str
    package_before: str  # its versions
    package_version: str
    changed: bool

    @property
    def from_to(self) -> tuple[str, str]:
        """For people: what became what; of an engine that has kept its version, its package's."""
        if self.before == self.after:
            return f"{self.package} {self.package_before}", f"{self.package} {self.package_version}"
        return self.before, self.after


def converge(
    channel: Channel,
    wanted: Mapping[str, Any],
    *,
    sign: Sign,
    emit: Emit,
    consent: Consent | None = None,
    pin: Pin | None = None,
    sudo: bool = False,
    bundle: AgentBundle | None = None,
    bytecode: AgentBytecode | None = None,
    script: bytes | None = None,
    root: str = "/",
) -> HostReport:
    """Bring the agent to the host and make the host as wanted.

    Args:
        channel: runs `stub.command` with the same ``sudo``.
        wanted: store, machine, endpoint, certificate (ca, names), engine, environment, authorized_key, host_key
            (replace), deadline; protocol, action and now are filled in here.
        sign: called at most once, and only when the host needs a certificate.
        consent: called at most once, and only when the configuration of an engine that is there must change.
        pin: called at most twice, and only when a host key was to be replaced.
        bundle, bytecode: another agent than ours, and what belongs to it: for tests.
        script, root: another stub, and another place than the host's own file system: for tests.

    Raises:
        BootstrapFailed: ``code`` says why: the agent's own slugs, and ``sudo``, ``shell``, ``cut``, ``protocol``.
    """
    if bundle is None:
        bundle, bytecode = agent_bundle(), bytecode or agent_bytecode()
    talk = _Conversation(channel, emit, sudo, bundle, script, bytecode)
    result, hello = talk.run("converge", wanted, root, sign=sign, consent=consent, pin=pin)
    try:
        agent, engine = result["agent"], result["engine"]
        return HostReport(
            agent_version=str(agent["version"]),
            agent_sha256=str(agent["sha256"]),
            agent_changed=bool(agent["changed"]),
            agent_kept=hello.get("kept") is not None,
            engine_kind=str(engine["kind"]),
            engine_version=str(engine["version"]),
            engine_api_version=str(engine["api_version"]),
            engine_source=str(engine["source"]),
            engine_package=None if engine["package"] is None else str(engine["package"]),
            engine_package_version=str(engine["package_version"]) if engine.get("package_version") else None,
            port=int(result["endpoint"]["port"]),
            facts={name: result[name] for name in ("os", "arch", "kernel", "cpus", "memory", "python")},
            clock_skew=float(result["clock_skew"]),
            changed=tuple(map(str, result["changed"])),
            installed=tuple(map(str, result["installed"])),
            agent_sent=not hello.get("have"),
            owner=str(result["owner"]["store"]) if result.get("owner") else None,
            trust=_pem(result["trust"]) if result.get("owner") else None,
        )
    except (KeyError, TypeError, ValueError) as error:
        raise _protocol(f"its result cannot be understood: {error!r}") from error


def uninstall(
    channel: Channel,
    wanted: Mapping[str, Any],
    *,
    emit: Emit,
    sudo: bool = False,
    bundle: AgentBundle | None = None,
    script: bytes | None = None,
    root: str = "/",
) -> Uninstalled:
    """Take the agent off the host; already gone is success.

    Args:
        wanted: store and machine, so that nobody removes another's; deadline.

    Raises:
        BootstrapFailed: see `converge`.
    """
    talk = _Conversation(channel, emit, sudo, bundle or agent_bundle(), script)
    result, _ = talk.run("uninstall", wanted, root)
    try:
        return Uninstalled(removed=tuple(map(str, result["removed"])), kept=tuple(map(str, result["kept"])))
    except (KeyError, TypeError) as error:
        raise _protocol(f"its result cannot be understood: {error!r}") from error


def scrub(
    channel: Channel,
    wanted: Mapping[str, Any],
    *,
    emit: Emit,
    sudo: bool = False,
    script: bytes | None = None,
    root: str = "/",
) -> None:
    """Make the host fit to be an image: the last that is said to it, for nobody can log in afterwards.

    Args:
        wanted: store and machine, so that nobody cleans another's; deadline.

    Raises:
        BootstrapFailed: see `converge`; what of it was done already is not known.
    """
    _Conversation(channel, emit, sudo, agent_bundle(), script).run("clean", wanted, root)


def upgrade(channel: Channel, wanted: Mapping[str, Any], *, emit: Emit, sudo: bool = False) -> Upgraded:
    """Upgrade the engine by the host's package manager; the agent's service need not be there, and is left alone.

    Args:
        wanted: store and machine, so that nobody upgrades another's; environment, deadline.

    Raises:
        BootstrapFailed: see `converge`.
    """
    talk = _Conversation(channel, emit, sudo, agent_bundle())
    result, _ = talk.run("upgrade", wanted, "/")
    try:
        texts = {name: str(result[name]) for name in _UPGRADED}
        return Upgraded(**texts, changed=bool(result["changed"]))
    except (KeyError, TypeError) as error:
        raise _protocol(f"its result cannot be understood: {error!r}") from error


class _Conversation:
    def __init__(
        self,
        channel: Channel,
        emit: Emit,
        sudo: bool,
        bundle: AgentBundle,
        script: bytes | None = None,
        bytecode: AgentBytecode | None = None,
    ) -> None:
        self._channel, self._emit, self._sudo, self._bundle, self._script = channel, emit, sudo, bundle, script
        self._bytecode = bytecode
        self._lines = HostLines(channel)
        self._spoke = False

    def run(
        self,
        action: str,
        wanted: Mapping[str, Any],
        root: str,
        *,
        sign: Sign | None = None,
        consent: Consent | None = None,
        pin: Pin | None = None,
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """The result and the hello of one bootstrap."""
        bundle = self._bundle
        offer = {**bundle.offer, "root": root}
        if self._bytecode is not None:
            offer["bytecode"] = self._bytecode.offer
        environment = {name: str(value) for name, value in (wanted.get("environment") or {}).items() if value}
        document = {**wanted, "protocol": PROTOCOL, "action": action, "environment": environment}
        self._send(stubs.preamble(environment, offer, may_install=action == "converge", script=self._script))
        hello = self._until("hello")
        if hello.get("hello") != PROTOCOL:
            raise _protocol(f"it says hello {hello.get('hello')}")
        lacks = b"" if hello.get("have") else bundle.data
        if hello.get("bytecode") and self._bytecode is not None:
            lacks += self._bytecode.data
        if not hello.get("have"):
            self._emit("agent", "progress", f"sending the agent ({len(lacks) // 1000} kB)", 0.0)
        elif hello.get("kept") and newer(str(hello["kept"]), bundle.version):
            self._emit("agent", "warning", f"the host's agent {hello['kept']} is newer and is kept", 0.0)
        else:
            self._emit("agent", "progress", "the host has this agent", 0.0)
        if lacks:
            self._send(lacks)
        document.setdefault("now", time.time())  # now, and not before a Python was installed over there
        self._send(json.dumps(document).encode() + b"\n")
        while True:
            line = self._until("result", "need")
            if "result" in line:
                self._channel.close_stdin()
                if not isinstance(line["result"], dict):
                    raise _protocol("its result is not an object")
                return line["result"], hello
            if line["need"] == "consent" and consent is not None:
                consent(_engine_change(line))
                consent = None
                self._send(b'{"consent": true}\n')
                continue
            if line["need"] == "host_key" and pin is not None:
                taken = line.get("taken") is True
                pin(key := _host_key(line.get("public_key")), taken)
                pin = None if taken else pin
                self._send(json.dumps({"pinned": key}).encode() + b"\n")
                continue
            if line["need"] != "certificate" or sign is None:
                raise _protocol(f"it asks for {clean(str(line['need']), 100)}")
            signed, sign = sign(str(line.get("public_key", ""))), None
            names = list(document["certificate"]["names"])
            answer = {"certificate": signed.certificate, "ca": signed.ca, "names": names}
            self._send(json.dumps(answer).encode() + b"\n")

    def _until(self, *keys: str) -> dict[str, Any]:
        """The next line with one of these keys; steps on the way are passed on, an error is raised."""
        while (line := self._lines.next()) is not None:
            self._spoke = True
            if "error" in line:
                _raise_agents(line["error"])
            if any(key in line for key in keys):
                return line
            if "step" in line:
                elapsed = line.get("elapsed")
                seconds = float(elapsed) if isinstance(elapsed, (int, float)) else 0.0
                self._emit(str(line["step"]), str(line.get("status", "")), str(line.get("text", "")), seconds)
        return self._explain_end()

    def _send(self, data: bytes) -> None:
        try:
            self._channel.send(data)
        except (OSError, HostUnreachable):
            self._until()  # it no longer reads; why it ended, its last line says better than this error

    def _explain_end(self) -> NoReturn:
        status = self._channel.exit_status()
        said = clean(self._channel.stderr().decode(errors="replace")[-4000:], 600)
        if self._sudo and not self._spoke and ("sudo" in said or status == 127):
            raise BootstrapFailed(
                "this account may not become root on the host",
                code="sudo",
                cause=said or f"exit status {status}",
                hint="log in as root, or allow it there with a line in /etc/sudoers.d: USER ALL=(ALL) NOPASSWD: ALL",
            )
        if not self._spoke and status > 0:
            raise BootstrapFailed(
                "the account's login shell on the host runs no commands",
                code="shell",
                cause=said or clean(self._lines.noise, 600) or f"exit status {status}",
                hint="use an account with a normal login shell",
            )
        raise BootstrapFailed(
            "the connection to the host was cut before it was done",
            code="cut",
            cause=said or clean(self._lines.noise, 600) or None,
            hint="run the command again: it goes on where it was",
        )


def _host_key(line: Any) -> str:
    if not isinstance(line, str) or not _HOST_KEY.match(line):
        raise _protocol("what it calls its host key is none")
    return line


def _pem(text: Any) -> str:
    if not isinstance(text, str) or not text.startswith("-----BEGIN CERTIFICATE-----"):
        raise ValueError("not a certificate")
    return text


def _engine_change(line: dict[str, Any]) -> EngineChange:
    try:
        return EngineChange(
            lines=tuple((str(each["what"]), str(each["before"]), str(each["after"])) for each in line["changes"]),
            containers=int(line["containers"]),
            warnings=tuple(map(str, line["warnings"])),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise _protocol(f"its question cannot be understood: {error!r}") from error


def _raise_agents(error: Any) -> NoReturn:
    if not isinstance(error, dict):
        raise _protocol("an error that is not an object")
    raise BootstrapFailed(
        str(error.get("message") or "the host could not be made as wanted"),
        code=str(error.get("code") or "unknown"),
        cause=str(error["cause"]) if error.get("cause") else None,
        hint=str(error["hint"]) if error.get("hint") else None,
    )


def _protocol(what: str) -> BootstrapFailed:
    return BootstrapFailed("the host does not speak the agent's protocol", code="protocol", cause=what)
