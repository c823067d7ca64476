"""With which keys somebody logs in, and what is said when none does."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from machine.errors import LoginRefused, UsageError
from machine.ssh.credentials import Credentials, operator_credentials
from tests.unit.ssh.conftest import Connect, let_in
from tests.unit.ssh.sshd import Sshd, make_key, serving


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Path]:
    """A real ssh-agent, not in the environment."""
    path = tmp_path / "agent"
    with subprocess.Popen(["ssh-agent", "-D", "-a", str(path)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()  # it listens
        yield path
        process.terminate()


def add(agent: Path, key: Path) -> None:
    subprocess.run(["ssh-add", "-q", str(key)], env={**os.environ, "SSH_AUTH_SOCK": str(agent)}, check=True)


@pytest.fixture
def locked(sshd: Sshd, tmp_path: Path) -> Path:
    """A key with a passphrase, that the server lets in."""
    path = make_key(tmp_path / "locked", passphrase="open sesame")
    let_in(sshd, path)
    return path


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
def test_an_identity_file_of_any_type_logs_in(log_in: Connect, sshd: Sshd, tmp_path: Path, kind: str) -> None:
    path = make_key(tmp_path / "id", kind)
    let_in(sshd, path)
    log_in(credentials=Credentials(required_identity=str(path)))


def test_a_wrong_key_is_refused_naming_what_was_offered(log_in: Connect, tmp_path: Path) -> None:
    first, second = make_key(tmp_path / "first"), make_key(tmp_path / "second")
    credentials = Credentials(required_identity=str(first), identity_files=(str(second), "/nowhere/id"))
    with pytest.raises(LoginRefused, match=r'127\.0\.0\.1 does not let the user ".*" in') as raised:
        log_in(credentials=credentials)
    assert f"Offered: {first}; {second}" in str(raised.value.cause)
    assert "authorized_keys" in str(raised.value.hint)


def test_no_key_at_all_is_said_to_be_none(log_in: Connect) -> None:
    with pytest.raises(LoginRefused) as raised:
        log_in(credentials=Credentials())
    assert raised.value.cause == "no key could be offered. Offered: none found"


def test_an_unknown_user_is_refused_and_named(log_in: Connect) -> None:
    with pytest.raises(LoginRefused, match='the user "nobody-here"'):
        log_in(user="nobody-here")


def test_a_passphrase_is_asked_for_and_opens_the_key(log_in: Connect, locked: Path) -> None:
    asked: list[str] = []

    def ask(path: str) -> str:
        asked.append(path)
        return "open sesame"

    log_in(credentials=Credentials(required_identity=str(locked), ask_passphrase=ask))
    assert asked == [str(locked)]


def test_a_passphrase_is_not_asked_for_when_another_key_logs_in(log_in: Connect, key: Path, locked: Path) -> None:
    def ask(path: str) -> str:
        raise AssertionError(path)

    log_in(credentials=Credentials(identity_files=(str(locked), str(key)), ask_passphrase=ask))


def test_a_wrong_passphrase_is_told(log_in: Connect, locked: Path) -> None:
    credentials = Credentials(required_identity=str(locked), ask_passphrase=lambda _path: "guess")
    with pytest.raises(LoginRefused, match="the passphrase does not open"):
        log_in(credentials=credentials)


def test_where_nobody_can_be_asked_a_locked_key_is_left_out_and_named(log_in: Connect, locked: Path) -> None:
    with pytest.raises(LoginRefused) as raised:
        log_in(credentials=Credentials(required_identity=str(locked)))
    assert f"{locked} (not offered: it has a passphrase; ssh-add {locked})" in str(raised.value.cause)


def test_an_agents_key_logs_in(
    log_in: Connect, sshd: Sshd, tmp_path: Path, agent: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_key(tmp_path / "held")
    let_in(sshd, path)
    add(agent, path)
    path.unlink()  # the agent alone has it now
    monkeypatch.setenv("SSH_AUTH_SOCK", str(agent))
    log_in(credentials=Credentials(agent=None))
    with pytest.raises(LoginRefused):
        log_in(credentials=Credentials(agent="none"))


def test_the_agent_that_the_configuration_names_is_asked(
    log_in: Connect, sshd: Sshd, tmp_path: Path, agent: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_key(tmp_path / "held")
    let_in(sshd, path)
    add(agent, path)
    log_in(credentials=Credentials(agent=str(agent)))
    monkeypatch.setenv("MY_AGENT", str(agent))
    log_in(credentials=Credentials(agent="$MY_AGENT"))


def test_an_agent_that_is_gone_leaves_the_files(
    log_in: Connect, key: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSH_AUTH_SOCK", str(tmp_path / "gone"))
    log_in(credentials=Credentials(agent=None, identity_files=(str(key),)))
    log_in(credentials=Credentials(agent=str(tmp_path / "gone"), identity_files=(str(key),)))


def test_a_locked_key_that_the_agent_holds_needs_no_passphrase(
    log_in: Connect, sshd: Sshd, tmp_path: Path, agent: Path
) -> None:
    path = make_key(tmp_path / "held")
    let_in(sshd, path)
    add(agent, path)
    subprocess.run(["ssh-keygen", "-q", "-p", "-N", "secret", "-f", str(path)], check=True, capture_output=True)
    credentials = Credentials(agent=str(agent), required_identity=str(path))
    log_in(credentials=credentials)
    assert credentials.tried == [f"{path} (ssh-agent)"]


def test_identities_only_keeps_the_agents_other_keys_back(tmp_path: Path, agent: Path) -> None:
    named, other = make_key(tmp_path / "named"), make_key(tmp_path / "other")
    add(agent, named)
    add(agent, other)
    credentials = operator_credentials(
        (str(named),), required=None, identities_only=True, agent=str(agent), ask_passphrase=lambda _path: None
    )
    assert len(list(credentials.offered())) == 1
    everything = operator_credentials(
        (str(named),), required=None, identities_only=False, agent=str(agent), ask_passphrase=lambda _path: None
    )
    assert len(list(everything.offered())) == 2


def test_an_identity_that_was_given_must_be_there_and_be_a_key(log_in: Connect, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no key file /nowhere/id"):
        log_in(credentials=Credentials(required_identity="/nowhere/id"))
    (tmp_path / "letter").write_text("Dear reader")
    with pytest.raises(UsageError, match="cannot be read"):
        log_in(credentials=Credentials(required_identity=str(tmp_path / "letter")))


def test_a_lost_machine_key_is_an_error_of_ours(log_in: Connect, tmp_path: Path) -> None:
    with pytest.raises(LoginRefused, match="the machine's own key cannot be read"):
        log_in(credentials=Credentials(machine_key=str(tmp_path / "id_ed25519")))


def test_a_server_that_allows_few_tries_is_not_mistaken_for_a_lost_network(
    log_in: Connect, key: Path, tmp_path: Path
) -> None:
    wrong = tuple(str(make_key(tmp_path / f"id{number}")) for number in range(4))
    with serving(tmp_path / "strict", extra="MaxAuthTries 2") as server:
        let_in(server, key)
        with pytest.raises(LoginRefused) as raised:
            log_in(server, credentials=Credentials(identity_files=(*wrong, str(key))))
    assert "the host ended the connection; it may allow fewer keys" in str(raised.value.cause)


def test_a_server_that_takes_no_keys_says_what_it_takes(log_in: Connect, tmp_path: Path) -> None:
    extra = "PubkeyAuthentication no\nPasswordAuthentication yes"
    with serving(tmp_path / "passwords", extra=extra) as server, pytest.raises(LoginRefused) as raised:
        log_in(server)
    assert "the host allows only: password" in str(raised.value.cause)
