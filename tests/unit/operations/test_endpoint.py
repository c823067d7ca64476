"""Asking an endpoint: each machine with its own certificate, and what is said of files that cannot be used."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from machine.deadline import Deadline
from machine.errors import EndpointUnverified
from machine.operations.endpoint import _trust_in, ask_engine, verify_endpoint
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


def test_connections_that_are_made_side_by_side_show_each_its_own_certificate(
    authority: KeyPair, tmp_path: Path
) -> None:
    """They share what is known of the authority; who showed another machine's would be refused as a stranger."""
    serving, trust = server_of(authority, tmp_path), _trust_in(authority.certificate)
    begun = []
    for name in ("one", "two", "three"):
        files = client_of(name, authority, tmp_path)
        ours, theirs = socket.socketpair()
        begun.append((trust.wrap(ours, "127.0.0.1", files.path("cert.pem"), files.path("key.pem")), theirs))
    shown = []
    for client, theirs in begun:  # not one of them has said a word before the last was made
        theirs.setblocking(False)
        client.setblocking(False)
        server = serving.wrap_socket(theirs, server_side=True, do_handshake_on_connect=False)
        left = [client, server]
        while left:
            try:
                left[0].do_handshake()
                left.pop(0)
            except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
                left.reverse()
        certificate = x509.load_der_x509_certificate(server.getpeercert(binary_form=True) or b"")
        shown.append(certificate.subject.rdns[-1].rfc4514_string())
        client.close()
        server.close()
    assert shown == ["CN=one", "CN=two", "CN=three"]


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
