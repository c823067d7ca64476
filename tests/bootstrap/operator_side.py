"""What the operator side brings to a bootstrap, and what it saw."""

from __future__ import annotations

import socket
from typing import Any

import pki
from cryptography.hazmat.primitives import serialization
from fake_host import FakeHost, LocalChannel

from machine.bootstrap import session
from machine.errors import ConsentNeeded


class Operator:
    """What the operator side brings to a bootstrap, and what it saw."""

    def __init__(self, authority: str = "ca") -> None:
        self.authority = pki.Authority(authority)
        self.signed: list[str] = []
        self.changes: list[session.EngineChange] = []  # that were asked about
        self.agrees = True
        self.events: list[tuple[str, str, str, float]] = []
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]

    def sign(self, public_key: str) -> session.SignedCertificate:
        self.signed.append(public_key)
        key = serialization.load_pem_public_key(public_key.encode())
        return session.SignedCertificate(self.authority.server(public_key=key).decode(), self.authority.pem.decode())

    def consent(self, change: session.EngineChange) -> None:
        self.changes.append(change)
        if not self.agrees:
            raise ConsentNeeded("nobody agreed")

    def pin(self, key: str, taken: bool) -> None:
        raise AssertionError("nobody asked for another host key")

    def wanted(self, **changes: Any) -> dict[str, Any]:
        return {
            "store": "store-1",
            "machine": "web1",
            "endpoint": {"port": self.port},
            "certificate": {"ca": self.authority.pem.decode(), "names": ["web1", "10.0.0.5"]},
            "engine": {"kind": "docker", "source": "auto"},
            "environment": {},
            "authorized_key": None,
            "deadline": 60,
            "join": False,
            **changes,
        }

    def converge(
        self,
        host: FakeHost,
        channel: LocalChannel | None = None,
        *,
        sudo: bool = False,
        bundle: Any = None,
        bytecode: Any = None,
        **changes: Any,
    ) -> session.HostReport:
        return session.converge(
            channel or host.channel(sudo=sudo),
            self.wanted(**changes),
            sign=self.sign,
            emit=lambda *event: self.events.append(event),
            consent=self.consent,
            pin=self.pin,
            sudo=sudo,
            bundle=bundle,
            bytecode=bytecode,
            script=host.script,
            root=str(host.root),
        )

    def uninstall(self, host: FakeHost, **changes: Any) -> session.Uninstalled:
        return session.uninstall(
            host.channel(),
            self.wanted(**changes),
            emit=lambda *event: self.events.append(event),
            script=host.script,
            root=str(host.root),
        )

    def texts(self, status: str = "") -> list[str]:
        """What was shown, of one status or all."""
        return [text for _, shown, text, _ in self.events if status in ("", shown)]
