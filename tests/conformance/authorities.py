"""Certificates as docker-machine makes them: RSA, an organization and no common name, 1080 days."""

from __future__ import annotations

import datetime
import functools
import ipaddress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_DAYS = 1080


def rsa_authority(directory: Path, *, left: int = _DAYS) -> tuple[x509.Certificate, rsa.RSAPrivateKey]:
    """``ca.pem`` and ``ca-key.pem`` as its bootstrap writes them.

    Args:
        left: the days until it expires.
    """
    key = _key("authority")
    name = _name("ada")
    certificate = (
        _builder(name, name, key, left)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(_usage(signs=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    _write(directory, "ca.pem", "ca-key.pem", certificate, key)
    return certificate, key


def rsa_leaf(
    directory: Path,
    authority: tuple[x509.Certificate, rsa.RSAPrivateKey],
    files: tuple[str, str],
    *,
    address: str | None = None,
) -> None:
    """A client's pair of files or, with an address, a server's."""
    key = _key(files[1])
    usage = ExtendedKeyUsageOID.SERVER_AUTH if address else ExtendedKeyUsageOID.CLIENT_AUTH
    builder = (
        _builder(_name("ada.web" if address else "ada.<bootstrap>"), authority[0].subject, key)
        .add_extension(_usage(signs=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
    )
    if address:
        names = [x509.IPAddress(ipaddress.ip_address(address)), x509.DNSName("localhost")]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    _write(directory, *files, builder.sign(authority[1], hashes.SHA256()), key)


@functools.lru_cache
def _key(_whose: str) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)  # takes a while: one for all tests


def _name(organization: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization)])


def _builder(
    subject: x509.Name, issuer: x509.Name, key: rsa.RSAPrivateKey, left: int = _DAYS
) -> x509.CertificateBuilder:
    begin = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=_DAYS - left, minutes=5)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + datetime.timedelta(days=_DAYS))
    )


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True, content_commitment=False, key_encipherment=True, data_encipherment=False,
        key_agreement=True, key_cert_sign=signs, crl_sign=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip


def _write(directory: Path, certificate: str, key: str, made: x509.Certificate, secret: rsa.RSAPrivateKey) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    (directory / certificate).write_bytes(made.public_bytes(serialization.Encoding.PEM))
    path = directory / key
    path.touch(0o600)
    path.write_bytes(
        secret.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )
    )
