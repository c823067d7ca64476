"""The public half of the host's key: read from the file as the tools would show it, or shown by one of them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from machine.agent.converge import identity
from machine.agent.errors import Failed
from machine.agent.host import Host

MAKERS = {
    "ssh-keygen": ["ssh-keygen", "-q", "-t", "ecdsa", "-b", "256", "-m", "PEM", "-N", "", "-C", "", "-f"],
    "openssl": ["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out"],
}


@pytest.fixture
def toolless(tmp_path: Path) -> Host:
    """A host with neither of the tools."""
    host = Host()
    host.environment["PATH"] = str(tmp_path / "none")
    return host


def pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey, private: PrivateFormat) -> bytes:
    return key.private_bytes(Encoding.PEM, private, NoEncryption())


def public(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) -> str:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


@pytest.mark.parametrize("tool", MAKERS)
def test_what_either_tool_made_is_read_without_one(toolless: Host, tmp_path: Path, tool: str) -> None:
    if shutil.which(tool) is None:
        pytest.skip(f"needs {tool}")
    path = tmp_path / "key.pem"
    subprocess.run([*MAKERS[tool], path], check=True, stderr=subprocess.DEVNULL)
    shown = subprocess.run(["openssl", "pkey", "-in", path, "-pubout"], check=True, capture_output=True, text=True)
    assert identity.public_half(toolless, str(path)) == shown.stdout


@pytest.mark.parametrize("number", [1, 2**255 - 19, 2**100])  # one that begins with zeros has them in the file
def test_it_is_the_one_that_a_library_finds(toolless: Host, tmp_path: Path, number: int) -> None:
    key = ec.derive_private_key(number, ec.SECP256R1())
    path = tmp_path / "key.pem"
    path.write_bytes(pem(key, PrivateFormat.TraditionalOpenSSL))
    assert identity.public_half(toolless, str(path)) == public(key)


@pytest.mark.parametrize(
    "other",
    [
        pem(ec.generate_private_key(ec.SECP256R1()), PrivateFormat.PKCS8),
        pem(ec.generate_private_key(ec.SECP384R1()), PrivateFormat.TraditionalOpenSSL),
        pem(rsa.generate_private_key(65537, 2048), PrivateFormat.TraditionalOpenSSL),
    ],
    ids=["pkcs8", "p384", "rsa"],
)
def test_another_kind_of_key_is_left_to_a_tool(toolless: Host, tmp_path: Path, other: bytes) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(other)
    path.chmod(0o600)
    with pytest.raises(Failed):
        identity.public_half(toolless, str(path))
    shown = subprocess.run(["openssl", "pkey", "-in", path, "-pubout"], check=True, capture_output=True, text=True)
    assert identity.public_half(Host(), str(path)).split() == shown.stdout.split()


def test_a_key_that_is_not_whole_gives_nothing(toolless: Host, tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    whole = pem(ec.generate_private_key(ec.SECP256R1()), PrivateFormat.TraditionalOpenSSL)
    for length in range(len(whole) - len(b"-----\n") + 1):
        path.write_bytes(whole[:length])
        with pytest.raises(Failed):
            identity.public_half(toolless, str(path))
