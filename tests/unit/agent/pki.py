"""Certificates as pymachine's trust makes them, and as an attacker might: made here, so that each can be wrong."""

from __future__ import annotations

import datetime
import functools
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID as Usage
from cryptography.x509.oid import NameOID

STORE, MACHINE = "store-1", "web1"
CLIENT_URIS = (f"pymachine:{STORE}/machine/{MACHINE}", f"pymachine:{STORE}/role/admin")


@functools.cache
def _key(name: str) -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def key_pem(name: str) -> bytes:
    return _key(name).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )


@dataclass
class Authority:
    name: str = "ca"

    @functools.cached_property
    def certificate(self) -> x509.Certificate:
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, self.name)])
        return (
            _builder(subject, subject, _key(self.name).public_key(), days=3650)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(_key(self.name), hashes.SHA256())
        )

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def issue(
        self,
        name: str,
        *,
        usages: tuple[x509.ObjectIdentifier, ...] = (),
        uris: tuple[str, ...] = (),
        hosts: tuple[str, ...] = (),
        days: float = 397,
        age: float = 1,
        public_key: ec.EllipticCurvePublicKey | None = None,
    ) -> bytes:
        """A leaf in PEM; its key is ``key_pem(name)``. It began ``age`` days ago and lives ``days``."""
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        key = public_key or _key(name).public_key()
        builder = _builder(subject, self.certificate.subject, key, days=days, age=age)
        if usages:
            builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(uri) for uri in uris]
        names += [x509.DNSName(host) for host in hosts]
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(_key(self.name), hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    def client(self, name: str = "client", **wrong) -> bytes:
        return self.issue(name, **{"usages": (Usage.CLIENT_AUTH,), "uris": CLIENT_URIS, **wrong})

    def server(self, name: str = "server", **wrong) -> bytes:
        return self.issue(name, **{"usages": (Usage.SERVER_AUTH,), "hosts": (MACHINE, "localhost"), **wrong})


def _builder(subject, issuer, public_key, *, days: float, age: float = 1) -> x509.CertificateBuilder:
    start = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=age)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=days))
    )


def write(directory: Path, **files: bytes) -> None:
    """``cert=…`` becomes cert.pem, and so on."""
    for name, content in files.items():
        (directory / f"{name}.pem").write_bytes(content)
