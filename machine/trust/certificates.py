"""One CA per store, and the certificates it signs; P-256 throughout.

A CA lives 10 years, a leaf 397 days (what browsers settled on as the longest a leaf should live); ``notBefore`` is a
day back, for hosts whose clock is behind. EKU is set in both directions, and a client's certificate names the one
machine it is for and a role, so that handing over one ``DOCKER_CERT_PATH`` hands over one host.
"""

from __future__ import annotations

import datetime
import functools
import ipaddress
import typing
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from machine.errors import PymachineError, UsageError
from machine.trust.names import is_address, machine_uri, role_uri

CA_DAYS = 3653
LEAF_DAYS = 397
_CLOCK_TOLERANCE = datetime.timedelta(days=1)
# A CA certificate must not be mistaken for another's with the same name: OpenSSL looks issuers up by it.
_LONGEST_COMMON_NAME = 64
_NO_CA = x509.BasicConstraints(ca=False, path_length=None)


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A certificate and its private key, both PEM."""

    certificate: bytes
    key: bytes


@dataclass(frozen=True, slots=True)
class Authority:
    """A CA that can sign."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey  # RSA: one that was given, as docker-machine's are

    @property
    def pem(self) -> bytes:
        """The CA's certificate."""
        return self.certificate.public_bytes(serialization.Encoding.PEM)


def new_authority(store: str, now: datetime.datetime | None = None) -> KeyPair:
    """Make the CA of a store.

    Args:
        store: the store's id; part of the CA's name.
        now: for tests.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name(f"pymachine CA {store}")
    certificate = (
        _builder(name, name, key.public_key(), CA_DAYS, now)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return KeyPair(certificate.public_bytes(serialization.Encoding.PEM), private_pem(key))


@functools.lru_cache(maxsize=8)  # a fleet's machines are all signed for by the same
def load_authority(pair: KeyPair) -> Authority:
    """Read a CA from its two files' content.

    Raises:
        PymachineError: they are damaged, no CA, or have a key of another kind than EC and RSA.
    """
    try:
        key = serialization.load_pem_private_key(pair.key, password=None)
        certificate = x509.load_pem_x509_certificate(pair.certificate)
    except ValueError as error:
        raise PymachineError("the store's CA cannot be read", cause=str(error)) from error
    if not isinstance(key, (ec.EllipticCurvePrivateKey, rsa.RSAPrivateKey)):
        raise PymachineError("the store's CA has a key of another kind than this pymachine signs with")
    if not _signs(certificate):
        raise PymachineError("the store's CA cannot be used", cause="its certificate is not that of an authority")
    return Authority(certificate, key)


def _signs(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def sign_server(
    authority: Authority,
    public_key_pem: bytes,
    *,
    store: str,
    machine: str,
    names: Sequence[str],
    now: datetime.datetime | None = None,
) -> bytes:
    """Sign the host's public key for the names *we* chose; the host contributes nothing else.

    Args:
        public_key_pem: SubjectPublicKeyInfo, as it came from the host.
        names: DNS names and IP addresses.

    Raises:
        PymachineError: the host sent something that is not an elliptic-curve public key on P-256.
        UsageError: a certificate cannot carry one of the names.
    """
    try:
        key = serialization.load_pem_public_key(public_key_pem)
    except (ValueError, TypeError) as error:
        raise PymachineError("the host sent no usable public key", cause=str(error)) from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise PymachineError("the host sent a public key that is not on the curve P-256")
    alternatives = [_general_name(name) for name in names]
    alternatives.append(x509.UniformResourceIdentifier(machine_uri(store, machine)))
    return _leaf(authority, key, machine, alternatives, ExtendedKeyUsageOID.SERVER_AUTH, now)


def new_client(
    authority: Authority,
    *,
    store: str,
    machine: str,
    user: str,
    role: str = "admin",
    now: datetime.datetime | None = None,
) -> KeyPair:
    """Make a client's key and certificate for one machine.

    Args:
        user: who it is for, as the host's log will name them.
        role: carried as a URI name; what it may do is the agent's business.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    alternatives: list[x509.GeneralName] = [
        x509.UniformResourceIdentifier(machine_uri(store, machine)),
        x509.UniformResourceIdentifier(role_uri(store, role)),
    ]
    certificate = _leaf(authority, key.public_key(), user, alternatives, ExtendedKeyUsageOID.CLIENT_AUTH, now)
    return KeyPair(certificate, private_pem(key))


def needs_renewal(certificate_pem: bytes, now: datetime.datetime | None = None) -> bool:
    """Whether a certificate is in the last third of its life, or past it."""
    certificate = x509.load_pem_x509_certificate(certificate_pem)
    life = certificate.not_valid_after_utc - certificate.not_valid_before_utc
    return (now or _utc_now()) > certificate.not_valid_after_utc - life / 3


def expiry(certificate_pem: bytes) -> datetime.datetime:
    """When a certificate ends."""
    return x509.load_pem_x509_certificate(certificate_pem).not_valid_after_utc


def belongs_together(pair: KeyPair) -> bool:
    """Whether the key is the certificate's: two files written one after the other may be of two times."""
    try:
        key = serialization.load_pem_private_key(pair.key, password=None)
        certificate = x509.load_pem_x509_certificate(pair.certificate)
    except ValueError:
        return False
    return key.public_key() == certificate.public_key()


def is_for(pair: KeyPair, authority: Authority, *, store: str, machine: str) -> bool:
    """Whether this is a client's pair for a machine (or "*"), signed by this authority; False also when unreadable."""
    try:
        certificate = x509.load_pem_x509_certificate(pair.certificate)
        certificate.verify_directly_issued_by(authority.certificate)
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, TypeError, InvalidSignature, x509.ExtensionNotFound):
        return False
    uris = names.get_values_for_type(x509.UniformResourceIdentifier)
    return machine_uri(store, machine) in uris and belongs_together(pair)


def private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """An unencrypted PKCS#8 key: what docker clients read."""
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _general_name(name: str) -> x509.GeneralName:
    if is_address(name):
        return x509.IPAddress(ipaddress.ip_address(name))
    try:
        return x509.DNSName(name)
    except ValueError as error:
        raise UsageError(
            f"a certificate cannot carry the name {name!r}", cause=str(error), hint="give its ASCII form (xn--…)"
        ) from error


def _leaf(
    authority: Authority,
    public_key: ec.EllipticCurvePublicKey,
    common_name: str,
    alternatives: Sequence[x509.GeneralName],
    usage: x509.ObjectIdentifier,
    now: datetime.datetime | None,
) -> bytes:
    certificate = (
        _builder(_name(common_name), authority.certificate.subject, public_key, LEAF_DAYS, now)
        .add_extension(_NO_CA, critical=True)
        .add_extension(_key_usage(signs_certificates=False), critical=True)
        .add_extension(_extended_key_usage(usage), critical=False)
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public_key), critical=False)
        .add_extension(_identifier(authority.certificate), critical=False)
        .sign(authority.key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM)


@functools.lru_cache(maxsize=8)
def _identifier(certificate: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    """Of a CA, as it itself says: OpenSSL compares the two."""
    try:
        own = certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    except x509.ExtensionNotFound:
        key = typing.cast(ec.EllipticCurvePublicKey | rsa.RSAPublicKey, certificate.public_key())
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(key)
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    public_key: ec.EllipticCurvePublicKey,
    days: int,
    now: datetime.datetime | None,
) -> x509.CertificateBuilder:
    now = now or _utc_now()
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public_key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_TOLERANCE)
        .not_valid_after(now + datetime.timedelta(days=days))
    )


@functools.lru_cache(maxsize=8)  # every client's is the operator
def _name(common_name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "pymachine"),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name[:_LONGEST_COMMON_NAME]),
        ]
    )


@functools.cache
def _extended_key_usage(usage: x509.ObjectIdentifier) -> x509.ExtendedKeyUsage:
    return x509.ExtendedKeyUsage([usage])


@functools.cache
def _key_usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _utc_now() -> datetime.datetime:
    return datetime.datetime.now(datetime.timezone.utc)
