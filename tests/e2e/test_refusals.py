"""Who may not reach the engine, does not: asserted on the host's side (TLS 1.3 tells the client late)."""

from __future__ import annotations

import datetime
import socket
import ssl
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from machine.trust.certificates import KeyPair, load_authority, new_authority, new_client, private_pem, sign_server
from tests.e2e.command import Pymachine

pytestmark = pytest.mark.e2e


# The engine logs what it refuses, by name: it would show there.
_INTRUSION = b"POST /v1.41/containers/create?name=intruder HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"


class Attempt:
    """A GET with some certificate, and what the host says of it afterwards."""

    def __init__(self, pymachine: Pymachine, name: str, folder: Path) -> None:
        self.pymachine, self.name, self.folder = pymachine, name, folder
        self.host, _, port = pymachine("url", name).stdout.strip().removeprefix("tcp://").rpartition(":")
        self.port = int(port)
        self.ca = str(pymachine.store / "machines" / name / "ca.pem")

    def journal(self) -> str:
        return self.pymachine("ssh", self.name, "journalctl", "-q", "-o", "cat", "-u", "pymachine-agent.service").stdout

    def get(self, pair: KeyPair | None) -> bytes:
        """Send a request that would be visible at the engine; what came back."""
        context = ssl.create_default_context(cafile=self.ca)
        if pair is not None:
            (self.folder / "cert.pem").write_bytes(pair.certificate)
            (self.folder / "key.pem").write_bytes(pair.key)
            context.load_cert_chain(self.folder / "cert.pem", self.folder / "key.pem")
        try:
            with (
                socket.create_connection((self.host, self.port), timeout=10) as sock,
                context.wrap_socket(sock, server_hostname=self.host) as tls,
            ):
                tls.sendall(_INTRUSION)
                return tls.recv(4096)
        except (ssl.SSLError, ConnectionError):
            return b""

    def refused(self, pair: KeyPair | None, reason: str) -> None:
        """Nothing comes back, the host says why, and the engine has heard nothing."""
        before = self.journal()
        assert b"HTTP/1.1 2" not in self.get(pair)
        deadline = time.monotonic() + 10
        while reason not in (said := self.journal()[len(before) :].lower()):
            assert time.monotonic() < deadline, f"the host did not say {reason!r}: {said!r}"
        # The engine logs the requests that it refuses, and a container's name that is taken or a missing image.
        heard = self.pymachine("ssh", self.name, "journalctl -q -o cat -u docker.service | grep -c intruder", code=1)
        assert heard.stdout.strip() == "0"


@pytest.fixture
def attempt(machine: tuple[Pymachine, str], tmp_path: Path) -> Attempt:
    return Attempt(*machine, tmp_path)


@pytest.fixture
def authority(machine: tuple[Pymachine, str]) -> Callable[[], KeyPair]:
    certs = machine[0].store / "certs"
    return lambda: KeyPair((certs / "ca.pem").read_bytes(), (certs / "ca-key.pem").read_bytes())


def _store_id(pymachine: Pymachine) -> str:
    certificate = x509.load_pem_x509_certificate((pymachine.store / "certs" / "ca.pem").read_bytes())
    return str(certificate.subject.rfc4514_string()).partition("CN=pymachine CA ")[2].partition(",")[0]


def test_the_machine_s_own_certificate_is_let_in(attempt: Attempt) -> None:
    files = attempt.pymachine.store / "machines" / attempt.name
    answer = attempt.get(KeyPair((files / "cert.pem").read_bytes(), (files / "key.pem").read_bytes()))
    assert answer.startswith(b"HTTP/1.1 4")  # the engine's own opinion of an empty container


def test_no_certificate_is_refused(attempt: Attempt) -> None:
    attempt.refused(None, "certificate")


def test_another_ca_s_certificate_is_refused(attempt: Attempt) -> None:
    store = _store_id(attempt.pymachine)
    stranger = load_authority(new_authority(store))
    attempt.refused(new_client(stranger, store=store, machine=attempt.name, user="x"), "certificate")


def test_another_machine_s_client_certificate_is_refused(attempt: Attempt, authority: Callable[[], KeyPair]) -> None:
    ours = load_authority(authority())
    attempt.refused(new_client(ours, store=_store_id(attempt.pymachine), machine="other", user="x"), "other")


def test_a_server_certificate_is_no_client_s(attempt: Attempt, authority: Callable[[], KeyPair]) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    ours = load_authority(authority())
    server = sign_server(ours, public, store=_store_id(attempt.pymachine), machine=attempt.name, names=["x"])
    attempt.refused(KeyPair(server, private_pem(key)), "purpose")


def test_an_expired_certificate_is_refused(attempt: Attempt, authority: Callable[[], KeyPair]) -> None:
    then = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=500)
    ours = load_authority(authority())
    pair = new_client(ours, store=_store_id(attempt.pymachine), machine=attempt.name, user="x", now=then)
    attempt.refused(pair, "expired")


def test_a_certificate_without_extended_key_usage_is_refused(
    attempt: Attempt, authority: Callable[[], KeyPair]
) -> None:
    ours = load_authority(authority())
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.timezone.utc)
    uri = f"pymachine:{_store_id(attempt.pymachine)}/machine/{attempt.name}"
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([]))
        .issuer_name(ours.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri)]), critical=False)
        .sign(ours.key, hashes.SHA256())
    )
    pair = KeyPair(certificate.public_bytes(serialization.Encoding.PEM), private_pem(key))
    attempt.refused(pair, "usage")
