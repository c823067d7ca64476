"""Which host is believed to be the one it was, against a real sshd."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from machine.errors import HostKeyRejected
from machine.ssh.hostkeys import HostKeyPolicy, known_hosts_name
from machine.trust.sshkeys import fingerprint, new_private_key, public_line
from tests.unit.ssh.conftest import Connect, let_in
from tests.unit.ssh.sshd import Sshd, serving

OTHER = public_line(new_private_key())


def policy(file: Path, server: Sshd, *lines: str, accept_first: bool = False) -> HostKeyPolicy:
    """What a known_hosts file with these lines says."""
    file.write_text("".join(f"{line}\n" for line in lines))
    name = known_hosts_name("127.0.0.1", server.port)
    return HostKeyPolicy(known_hosts_files=(str(file),), known_hosts_name=name, accept_first=accept_first)


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
def test_a_pinned_key_of_any_type_is_accepted(log_in: Connect, sshd: Sshd, kind: str) -> None:
    connection = log_in(policy=HostKeyPolicy(pinned=(sshd.line(kind),)))
    assert (connection.verdict.source, connection.verdict.key) == ("pinned", sshd.line(kind))


def test_a_changed_key_is_refused_loudly_and_nothing_is_sent_to_that_host(
    log_in: Connect, key: Path, tmp_path: Path
) -> None:
    with serving(tmp_path / "other") as impostor:
        let_in(impostor, key)
        with pytest.raises(HostKeyRejected, match=r"THE SSH KEY OF 127\.0\.0\.1 HAS CHANGED") as raised:
            log_in(impostor, policy=HostKeyPolicy(pinned=(OTHER,)))
        assert fingerprint(OTHER) in str(raised.value.cause)
        assert fingerprint(impostor.line()) in str(raised.value.cause)
        log_in(impostor)  # the log shows logins, where there is one
    before, _, after = impostor.log().partition("userauth-request")
    assert "Connection from" in before
    assert after
    assert before.count("SSH2_MSG_KEXINIT received") == 2  # both handshakes came before the one login


def test_a_host_that_has_only_a_key_of_another_type_now_has_changed(log_in: Connect, tmp_path: Path) -> None:
    with serving(tmp_path / "other", kinds=("rsa",)) as server:
        for known in (
            HostKeyPolicy(pinned=(OTHER,)),
            policy(tmp_path / "known_hosts", server, f"[127.0.0.1]:{server.port} {OTHER}", accept_first=True),
        ):
            with pytest.raises(HostKeyRejected, match="HAS CHANGED"):
                log_in(server, policy=known)


def test_the_type_that_known_hosts_knows_is_asked_for(log_in: Connect, sshd: Sshd, tmp_path: Path) -> None:
    known = policy(tmp_path / "known_hosts", sshd, f"[127.0.0.1]:{sshd.port} {sshd.line('rsa')}")
    assert log_in(policy=known).verdict.key == sshd.line("rsa")


def test_plain_and_hashed_and_pattern_lines_are_read(log_in: Connect, sshd: Sshd, tmp_path: Path) -> None:
    file = tmp_path / "known_hosts"
    name = f"[127.0.0.1]:{sshd.port}"
    for line in (
        f"{name} {sshd.line()} a comment",
        f"example.org,{name},192.0.2.1 {sshd.line()}",
        f"[127.0.0.?]:* {sshd.line()}",
    ):
        assert log_in(policy=policy(file, sshd, "# a comment", "", line)).verdict.source == "known_hosts"
    subprocess.run(["ssh-keygen", "-q", "-H", "-f", str(file)], check=True, capture_output=True)
    assert "127.0.0.1" not in file.read_text()
    hashed = policy(tmp_path / "hashed", sshd, *file.read_text().splitlines())
    assert log_in(policy=hashed).verdict.source == "known_hosts"


@pytest.mark.parametrize(
    "line",
    [
        "127.0.0.1 {key}",  # another port
        "[127.0.0.1]:*,!{name} {key}",
        "{name} ssh-ed25519 damaged*",
        "|1|damaged|line= {key}",
        "@cert-authority * {key}",
        "{name}",
    ],
)
def test_a_line_about_something_else_does_not_vouch_for_a_host(
    log_in: Connect, sshd: Sshd, tmp_path: Path, line: str
) -> None:
    text = line.format(name=f"[127.0.0.1]:{sshd.port}", key=sshd.line())
    with pytest.raises(HostKeyRejected, match=r"127\.0\.0\.1 is not known") as raised:
        log_in(policy=policy(tmp_path / "known_hosts", sshd, text))
    assert "the policy is strict" in str(raised.value.cause)
    first = log_in(policy=policy(tmp_path / "known_hosts", sshd, text, accept_first=True))
    assert first.verdict.source == "first-use"


def test_first_use_takes_the_key_and_says_its_fingerprint(log_in: Connect, sshd: Sshd) -> None:
    verdict = log_in(policy=HostKeyPolicy(accept_first=True)).verdict
    assert verdict.source == "first-use"
    assert verdict.fingerprint == fingerprint(sshd.line())


def test_first_use_does_not_overrule_known_hosts(log_in: Connect, sshd: Sshd, tmp_path: Path) -> None:
    known = policy(tmp_path / "known_hosts", sshd, f"[127.0.0.1]:{sshd.port} {OTHER}", accept_first=True)
    with pytest.raises(HostKeyRejected, match="HAS CHANGED"):
        log_in(policy=known)


def test_a_revoked_key_is_refused_even_where_another_line_accepts_it(
    log_in: Connect, sshd: Sshd, tmp_path: Path
) -> None:
    name = f"[127.0.0.1]:{sshd.port}"
    lines = (f"{name} {sshd.line()}", f"@revoked * {sshd.line()}")
    with pytest.raises(HostKeyRejected, match="revoked"):
        log_in(policy=policy(tmp_path / "known_hosts", sshd, *lines, accept_first=True))


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
def test_a_fingerprint_the_operator_gave_may_be_of_any_key_of_the_host(log_in: Connect, sshd: Sshd, kind: str) -> None:
    connection = log_in(policy=HostKeyPolicy(fingerprint=fingerprint(sshd.line(kind))))
    assert (connection.verdict.source, connection.verdict.key) == ("fingerprint", sshd.line(kind))


def test_another_fingerprint_than_the_one_given_is_refused_under_any_policy(log_in: Connect, sshd: Sshd) -> None:
    with pytest.raises(HostKeyRejected, match="is not the one you gave") as raised:
        log_in(policy=HostKeyPolicy(fingerprint=fingerprint(OTHER), accept_first=True))
    assert fingerprint(sshd.line()) in str(raised.value.cause)


def test_the_pinned_key_counts_more_than_the_fingerprint_of_the_first_contact(log_in: Connect, sshd: Sshd) -> None:
    pinned = HostKeyPolicy(pinned=(sshd.line("ecdsa"),), fingerprint=fingerprint(OTHER))
    assert log_in(policy=pinned).verdict.source == "pinned"
