"""Certificates, as OpenSSL and Python's ssl see them."""

from __future__ import annotations

import datetime
import ipaddress
import socket
import ssl
import subprocess
import threading
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from machine.errors import PymachineError, UsageError
from machine.operations.authority import ensure_client_certificate, store_authority
from machine.store.store import Store
from machine.trust.certificates import (
    Authority,
    KeyPair,
    belongs_together,
    load_authority,
    needs_renewal,
    new_authority,
    new_client,
    sign_server,
)
from tests.unit.specs import add_machine

NOW = datetime.datetime(2030, 1, 1, 12, 0, tzinfo=datetime.timezone.utc)
DAY = datetime.timedelta(days=1)


@pytest.fixture(scope="module")
def authority() -> Authority:
    return load_authority(new_authority("abc123"))


def public_pem(key: object) -> bytes:
    public = key.public_key()  # type: ignore[attr-defined]
    return bytes(public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo))


def private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def server(authority: Authority, names: list[str], key: object = None) -> x509.Certificate:
    pem = public_pem(key or ec.generate_private_key(ec.SECP256R1()))
    return x509.load_pem_x509_certificate(
        sign_server(authority, pem, store="abc123", machine="web", names=names, now=NOW)
    )


def names_of(certificate: x509.Certificate) -> x509.SubjectAlternativeName:
    return certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value


def verify(tmp_path: Path, authority: Authority, certificate: bytes, purpose: str, *more: str) -> bool:
    """What the real openssl says."""
    (tmp_path / "ca.pem").write_bytes(authority.pem)
    (tmp_path / "leaf.pem").write_bytes(certificate)
    line = ["openssl", "verify", "-x509_strict", "-purpose", purpose, "-CAfile", "ca.pem", *more, "leaf.pem"]
    return subprocess.run(line, cwd=tmp_path, capture_output=True, check=False).returncode == 0


def test_openssl_verifies_the_server_for_its_purpose_and_names_only(tmp_path: Path, authority: Authority) -> None:
    pem = public_pem(ec.generate_private_key(ec.SECP256R1()))
    names = ["192.0.2.7", "2001:db8::7", "web.example", "web"]
    leaf = sign_server(authority, pem, store="abc123", machine="web", names=names)
    assert verify(tmp_path, authority, leaf, "sslserver")
    assert not verify(tmp_path, authority, leaf, "sslclient")
    for option, name in (("ip", "192.0.2.7"), ("ip", "2001:db8::7"), ("hostname", "web.example"), ("hostname", "web")):
        assert verify(tmp_path, authority, leaf, "sslserver", f"-verify_{option}", name)
    assert not verify(tmp_path, authority, leaf, "sslserver", "-verify_hostname", "other.example")
    assert not verify(tmp_path, load_authority(new_authority("abc123")), leaf, "sslserver")


def test_openssl_verifies_the_client_for_its_purpose_only(tmp_path: Path, authority: Authority) -> None:
    client = new_client(authority, store="abc123", machine="web", user="me@here")
    assert verify(tmp_path, authority, client.certificate, "sslclient")
    assert not verify(tmp_path, authority, client.certificate, "sslserver")


@pytest.mark.parametrize(("name", "family"), [("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6)])
def test_both_sides_accept_each_other_in_a_real_handshake(
    tmp_path: Path, authority: Authority, name: str, family: socket.AddressFamily
) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    leaf = sign_server(authority, public_pem(key), store="abc123", machine="web", names=[name])
    client = new_client(authority, store="abc123", machine="web", user="me@here")
    for file, content in {
        "ca.pem": authority.pem,
        "server.pem": leaf,
        "server-key.pem": private_pem(key),
        "cert.pem": client.certificate,
        "key.pem": client.key,
    }.items():
        (tmp_path / file).write_bytes(content)
    serving = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=tmp_path / "ca.pem")
    serving.load_cert_chain(tmp_path / "server.pem", tmp_path / "server-key.pem")
    serving.verify_mode = ssl.CERT_REQUIRED
    asking = ssl.create_default_context(cafile=tmp_path / "ca.pem")
    asking.load_cert_chain(tmp_path / "cert.pem", tmp_path / "key.pem")
    seen: list[object] = []
    with socket.create_server((name, 0), family=family) as listener:

        def serve() -> None:
            sock, _ = listener.accept()
            with serving.wrap_socket(sock, server_side=True) as secured:
                seen.append(secured.getpeercert())
                secured.sendall(b"hello")

        thread = threading.Thread(target=serve)
        thread.start()
        plain = socket.create_connection(listener.getsockname()[:2])
        with asking.wrap_socket(plain, server_hostname=name) as secured:
            assert secured.recv(5) == b"hello"
        thread.join()
    assert isinstance(seen[0], dict)
    assert ("URI", "pymachine:abc123/machine/web") in seen[0]["subjectAltName"]


def test_usages_are_set_in_both_directions(authority: Authority) -> None:
    client = x509.load_pem_x509_certificate(
        new_client(authority, store="abc123", machine="web", user="me@here").certificate
    )
    for certificate, usage in (
        (server(authority, ["web"]), ExtendedKeyUsageOID.SERVER_AUTH),
        (client, ExtendedKeyUsageOID.CLIENT_AUTH),
    ):
        extension = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        assert list(extension) == [usage]
        assert certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca is False
        assert not certificate.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign


def test_a_client_certificate_names_one_machine_a_role_and_its_user(authority: Authority) -> None:
    pair = new_client(authority, store="abc123", machine="web", user="me@here", role="reader")
    certificate = x509.load_pem_x509_certificate(pair.certificate)
    assert names_of(certificate).get_values_for_type(x509.UniformResourceIdentifier) == [
        "pymachine:abc123/machine/web",
        "pymachine:abc123/role/reader",
    ]
    assert certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == "me@here"


def test_the_servers_names_are_what_we_said_in_their_own_types(authority: Authority) -> None:
    names = names_of(server(authority, ["192.0.2.7", "2001:db8::7", "web.example", "*.example"]))
    assert names.get_values_for_type(x509.IPAddress) == [
        ipaddress.ip_address("192.0.2.7"),
        ipaddress.ip_address("2001:db8::7"),
    ]
    assert names.get_values_for_type(x509.DNSName) == ["web.example", "*.example"]
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == ["pymachine:abc123/machine/web"]


def test_a_name_that_no_certificate_can_carry_is_named(authority: Authority) -> None:
    with pytest.raises(UsageError, match="bücher"):
        server(authority, ["bücher.example"])


def test_the_longest_names_fit(authority: Authority) -> None:
    pair = new_client(authority, store="abc123", machine="m" * 63, user="u" * 100 + "@" + "h" * 100)
    assert belongs_together(pair)


def test_an_authority_lives_ten_years_and_a_leaf_397_days_from_a_day_ago(authority: Authority) -> None:
    ca = x509.load_pem_x509_certificate(new_authority("abc123", NOW).certificate)
    client = new_client(authority, store="abc123", machine="web", user="me@here", now=NOW)
    leaf = x509.load_pem_x509_certificate(client.certificate)
    assert (ca.not_valid_before_utc, ca.not_valid_after_utc) == (NOW - DAY, NOW + 3653 * DAY)
    for each in (leaf, server(authority, ["web"])):
        assert (each.not_valid_before_utc, each.not_valid_after_utc) == (NOW - DAY, NOW + 397 * DAY)


def test_a_certificate_is_renewed_in_the_last_third_of_its_life(authority: Authority) -> None:
    certificate = new_client(authority, store="abc123", machine="web", user="me@here", now=NOW).certificate
    two_thirds = NOW - DAY + 398 * DAY * 2 / 3
    assert not needs_renewal(certificate, two_thirds - DAY)
    assert needs_renewal(certificate, two_thirds + DAY)
    assert needs_renewal(certificate, NOW + 1000 * DAY)


@pytest.mark.parametrize(
    "sent",
    [
        public_pem(rsa.generate_private_key(public_exponent=65537, key_size=2048)),
        public_pem(ec.generate_private_key(ec.SECP384R1())),
        public_pem(ed25519.Ed25519PrivateKey.generate()),
        public_pem(dsa.generate_private_key(key_size=1024)),
        private_pem(ec.generate_private_key(ec.SECP256R1())),
        b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
        b"garbage",
        b"",
    ],
    ids=["rsa", "p384", "ed25519", "dsa", "private", "damaged", "garbage", "nothing"],
)
def test_a_host_that_sends_anything_but_a_p256_public_key_gets_nothing(authority: Authority, sent: bytes) -> None:
    with pytest.raises(PymachineError, match="the host sent"):
        sign_server(authority, sent, store="abc123", machine="web", names=["web"])


def test_nothing_of_a_host_but_its_key_enters_its_certificate(authority: Authority) -> None:
    """A host answers with a certificate of its own that names another machine and makes it a CA."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "evil.example")])
    own = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW)
        .not_valid_after(NOW + 9999 * DAY)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("evil.example")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = own.public_bytes(serialization.Encoding.PEM)
    with pytest.raises(PymachineError):
        sign_server(authority, pem, store="abc123", machine="web", names=["web"])
    signed = sign_server(authority, public_pem(key) + pem, store="abc123", machine="web", names=["web"])
    certificate = x509.load_pem_x509_certificate(signed)
    assert certificate.public_key() == key.public_key()
    assert b"evil" not in certificate.public_bytes(serialization.Encoding.DER)


def test_a_damaged_authority_is_said_to_be_one() -> None:
    pair = new_authority("abc123")
    with pytest.raises(PymachineError, match="CA cannot be read"):
        load_authority(KeyPair(pair.certificate, b"garbage"))
    other = private_pem_of_ed25519()
    with pytest.raises(PymachineError, match="another kind"):
        load_authority(KeyPair(pair.certificate, other))


def private_pem_of_ed25519() -> bytes:
    return ed25519.Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def test_a_certificate_and_a_key_of_two_times_do_not_belong_together() -> None:
    first, second = new_authority("abc123"), new_authority("abc123")
    assert belongs_together(first)
    assert not belongs_together(KeyPair(first.certificate, second.key))
    assert not belongs_together(KeyPair(first.certificate, b"garbage"))


def test_a_client_certificate_is_made_once_and_kept(store: Store) -> None:
    machine, authority, files = add_machine(store), store_authority(store), store.files("web")
    ensure_client_certificate(store, files, machine.name, authority)
    made = files.read("cert.pem")
    ensure_client_certificate(store, files, machine.name, authority)
    assert files.read("cert.pem") == made
    assert files.read("ca.pem") == authority.pem


@pytest.mark.parametrize("harm", ["renewal cut off", "key lost", "certificate lost", "another CA", "old"])
def test_a_client_certificate_that_cannot_work_is_made_anew(store: Store, harm: str) -> None:
    machine, authority, files = add_machine(store), store_authority(store), store.files("web")
    ensure_client_certificate(store, files, machine.name, authority)
    before = files.read("cert.pem")
    if harm == "renewal cut off":  # killed between the two files
        files.write("key.pem", new_client(authority, store=store.id, machine="web", user="me@here").key)
    elif harm == "another CA":
        files.write("ca.pem", new_authority("abc123").certificate)
    elif harm == "old":
        past = datetime.datetime.now(datetime.timezone.utc) - 300 * DAY
        pair = new_client(authority, store=store.id, machine="web", user="me@here", now=past)
        files.write("key.pem", pair.key)
        files.write("cert.pem", pair.certificate)
    else:
        Path(files.path("key.pem" if harm == "key lost" else "cert.pem")).unlink()
    ensure_client_certificate(store, files, machine.name, authority)
    certificate, key = files.read("cert.pem"), files.read("key.pem")
    assert certificate is not None
    assert key is not None
    assert certificate != before
    assert belongs_together(KeyPair(certificate, key))
    assert files.read("ca.pem") == authority.pem
    assert not needs_renewal(certificate)
