"""Asking an endpoint: each machine with its own certificate, and what is said of files that cannot be used."""

from __future__ import annotations

import datetime
import socket
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID

from machine.deadline import Deadline
from machine.errors import EndpointUnverified
from machine.operations.endpoint import _explained, _trust, ask_engine, verify_endpoint
from machine.store.files import Files
from machine.trust.certificates import KeyPair, load_authority, new_authority, new_client, private_pem, sign_server


@pytest.fixture
def authority() -> KeyPair:
    return new_authority("ours")


def client_of(machine: str, authority: KeyPair, folder: Path) -> Files:
    """The files of a machine."""
    pair = new_client(load_authority(authority), store="ours", machine=machine, user=machine)
    files = Files(str(folder / machine))
    for name, content in (("ca.pem", authority.certificate), ("cert.pem", pair.certificate), ("key.pem", pair.key)):
        files.write(name, content)
    return files


def server_of(authority: KeyPair, folder: Path) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    signed = sign_server(load_authority(authority), public, store="ours", machine="x", names=["127.0.0.1"])
    (folder / "server.pem").write_bytes(signed + private_pem(key))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cadata=authority.certificate.decode())
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_cert_chain(folder / "server.pem")
    return context


def of_another_kind(key: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey, authority: KeyPair, files: Files) -> Files:
    """A machine with another kind of key than we make: docker-machine's have RSA."""
    ca, now = load_authority(authority), datetime.datetime.now(datetime.timezone.utc)
    certificate = (
        x509.CertificateBuilder(ca.certificate.subject, x509.Name([_common_name(type(key).__name__)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(ca.key, hashes.SHA256())
    )
    files.write("cert.pem", certificate.public_bytes(serialization.Encoding.PEM))
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    files.write("key.pem", key.private_bytes(pem, pkcs8, serialization.NoEncryption()))
    return files


def _common_name(name: str) -> x509.NameAttribute:
    return x509.NameAttribute(NameOID.COMMON_NAME, name)


def shown(serving: ssl.SSLContext, client: ssl.SSLSocket, theirs: socket.socket) -> str:
    """The name in the certificate that a client shows."""
    client.setblocking(False)
    theirs.setblocking(False)
    server = serving.wrap_socket(theirs, server_side=True, do_handshake_on_connect=False)
    left = [client, server]
    while left:
        try:
            left[0].do_handshake()
            left.pop(0)
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            left.reverse()
    certificate = x509.load_der_x509_certificate(server.getpeercert(binary_form=True) or b"")
    client.close()
    server.close()
    return str(certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)


def test_connections_that_are_made_side_by_side_show_each_its_own_certificate(
    authority: KeyPair, tmp_path: Path
) -> None:
    """They share what is known of the authority; who showed another machine's would be refused as a stranger."""
    serving = server_of(authority, tmp_path)
    machines = {name: client_of(name, authority, tmp_path) for name in ("one", "two", "three", "rsa", "ed25519")}
    of_another_kind(rsa.generate_private_key(65537, 2048), authority, machines["rsa"])
    of_another_kind(ed25519.Ed25519PrivateKey.generate(), authority, machines["ed25519"])
    begun = []
    for name in ("rsa", "one", "ed25519", "two", "rsa", "three", "ed25519", "one"):
        files = machines[name]
        ours, theirs = socket.socketpair()
        wrapped = _trust(files).wrap(ours, "127.0.0.1", files.path("cert.pem"), files.path("key.pem"))
        begun.append((wrapped, theirs))  # not one of them has said a word before the last was made
    names = [shown(serving, client, theirs) for client, theirs in begun]
    others = {"RSAPrivateKey": "rsa", "Ed25519PrivateKey": "ed25519"}
    said = [others.get(name.lstrip("_"), name) for name in names]
    assert said == ["rsa", "one", "ed25519", "two", "rsa", "three", "ed25519", "one"]


@pytest.mark.parametrize("comment", ["", "# geprüft\n", "\ufeff"], ids=["plain", "comment", "byte order mark"])
def test_an_authority_is_taken_in_whatever_form_a_file_may_have(
    authority: KeyPair, tmp_path: Path, comment: str
) -> None:
    files = client_of("web", authority, tmp_path)
    files.write("ca.pem", comment.encode() + authority.certificate)
    ours, theirs = socket.socketpair()
    wrapped = _trust(files).wrap(ours, "127.0.0.1", files.path("cert.pem"), files.path("key.pem"))
    assert shown(server_of(authority, tmp_path), wrapped, theirs) == "web"


@pytest.mark.parametrize("name", ["ca.pem", "cert.pem", "key.pem"])
@pytest.mark.parametrize("content", [None, b"", b"not a certificate"], ids=["gone", "empty", "damaged"])
def test_a_file_that_cannot_be_used_is_named_and_not_waited_for(
    authority: KeyPair, tmp_path: Path, name: str, content: bytes | None
) -> None:
    files = client_of("web", authority, tmp_path)
    files.remove(name)
    if content is not None:
        files.write(name, content)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(EndpointUnverified, match=rf"{name}.* cannot be used") as raised:
            ask_engine("127.0.0.1", port, files, Deadline(60))
        assert raised.value.layer == "files"
        assert raised.value.cause
        deadline = Deadline(60)
        with pytest.raises(EndpointUnverified, match="cannot be used"):
            verify_endpoint("127.0.0.1", port, files, deadline)
        assert deadline.remaining() > 50


@pytest.mark.parametrize(
    ("error", "layer"),
    [
        (UnicodeError("label empty or too long"), "name"),  # of the codec for international names
        (UnicodeEncodeError("idna", "ü", 0, 1, "no"), "name"),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "no"), "agent"),  # of an answer
    ],
)
def test_a_name_that_can_be_none_and_an_answer_that_is_no_text_are_told_apart(error: Exception, layer: str) -> None:
    assert _explained(error, "agent")[0] == layer
