"""SSH keys, as OpenSSH's own tools see them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from machine.errors import UsageError
from machine.trust.sshkeys import check_fingerprint, fingerprint, new_private_key, public_line


def keygen(*arguments: str) -> str:
    return subprocess.run(["ssh-keygen", *arguments], capture_output=True, text=True, check=True).stdout


def test_ssh_keygen_reads_our_private_key_and_prints_the_same_public_line(tmp_path: Path) -> None:
    private = new_private_key()
    path = tmp_path / "id_ed25519"
    path.touch(mode=0o600)
    path.write_bytes(private)
    assert keygen("-y", "-f", str(path)).split()[:2] == public_line(private).split()


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
def test_fingerprints_are_those_of_ssh_keygen(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "key"
    keygen("-q", "-t", kind, "-N", "", "-f", str(path))
    line = path.with_suffix(".pub").read_text()
    assert fingerprint(line) == keygen("-lf", str(path)).split()[1]
    assert check_fingerprint(fingerprint(line)) == fingerprint(line)


@pytest.mark.parametrize("line", ["", "ssh-ed25519", "ssh-ed25519 ####", "ssh-ed25519 AAA"])
def test_what_is_no_public_key_has_no_fingerprint(line: str) -> None:
    with pytest.raises(UsageError, match="not an SSH public key"):
        fingerprint(line)


@pytest.mark.parametrize("text", ["", "SHA256:", "SHA256:abc", "MD5:aa:bb", "A" * 43, "SHA256:" + "A" * 44, "SHA256:ä"])
def test_what_is_no_fingerprint_is_refused_with_where_to_get_it(text: str) -> None:
    with pytest.raises(ValueError, match="ssh-keygen -lf"):
        check_fingerprint(text)


def test_the_padding_of_a_fingerprint_does_not_matter() -> None:
    assert check_fingerprint("SHA256:" + "A" * 43 + "=") == "SHA256:" + "A" * 43
