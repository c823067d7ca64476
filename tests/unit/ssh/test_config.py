"""The operator's ssh configuration, as the installed OpenSSH reads it; and hosts behind others."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from machine.deadline import Deadline
from machine.errors import HostKeyRejected, HostUnreachable
from machine.ssh.config import SSHConfig, resolve
from machine.ssh.connection import Connection
from machine.ssh.credentials import never_ask
from machine.ssh.reach import _split_jump, reach
from tests.unit.processes import python_after
from tests.unit.ssh.conftest import let_in
from tests.unit.ssh.sshd import USER, Sshd, free_port, serving


@pytest.fixture
def configure(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Write ``~/.ssh/config``; OpenSSH takes the home from the account, so ours is put before its options."""
    (home / ".ssh").mkdir(mode=0o700)
    config, wrapper = home / ".ssh" / "config", tmp_path / "bin" / "ssh"
    wrapper.parent.mkdir()
    wrapper.write_text(f'#!/bin/sh\nexec /usr/bin/ssh -F "{config}" "$@"\n')
    wrapper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{wrapper.parent}:{os.environ['PATH']}")
    config.touch()
    return config.write_text


@pytest.fixture
def opened() -> Iterator[list[Connection]]:
    """Connections to close at the end."""
    connections: list[Connection] = []
    yield connections
    for connection in connections:
        connection.close()


@pytest.fixture
def behind(tmp_path: Path, key: Path) -> Iterator[Sshd]:
    """A second server."""
    with serving(tmp_path / "behind") as server:
        let_in(server, key)
        yield server


def known(file: Path, *servers: Sshd) -> Path:
    file.write_text("".join(f"[127.0.0.1]:{server.port} {server.line()}\n" for server in servers))
    return file


def test_what_ssh_would_do_with_a_host_is_read(configure: Any, home: Path) -> None:
    configure(
        "Host alias\n  HostName 192.0.2.7\n  Port 2222\n  User somebody\n  IdentityFile ~/id_%h\n"
        "  IdentitiesOnly yes\n  IdentityAgent /run/agent\n  HostKeyAlias web\n  ProxyJump me@bastion:22\n"
        f"  UserKnownHostsFile {home}/known {home}/more\n"
    )
    config = resolve("alias", port=None, user=None)
    assert (config.hostname, config.port, config.user) == ("192.0.2.7", 2222, "somebody")
    assert config.identity_files == (f"{home}/id_192.0.2.7",)
    assert (config.identities_only, config.identity_agent) == (True, "/run/agent")
    assert (config.host_key_alias, config.proxy_jump, config.proxy_command) == ("web", "me@bastion:22", None)
    assert config.known_hosts_files[:2] == (f"{home}/known", f"{home}/more")


def test_what_is_given_wins_over_the_configuration(configure: Any) -> None:
    configure("Host alias\n  HostName 192.0.2.7\n  Port 2222\n  User somebody\n")
    config = resolve("alias", port=22, user="me")
    assert (config.hostname, config.port, config.user) == ("192.0.2.7", 22, "me")


def test_without_a_configuration_it_is_root_at_port_22(configure: Any) -> None:
    config = resolve("192.0.2.7", port=None, user=None)
    assert (config.hostname, config.port, config.user) == ("192.0.2.7", 22, "root")
    assert (config.proxy_jump, config.proxy_command) == (None, None)


def test_a_mistake_in_the_configuration_is_told_with_its_line(configure: Any) -> None:
    configure("Host alias\n  Prot 2222\n")
    with pytest.raises(HostUnreachable, match="your ssh configuration cannot be used for alias") as raised:
        resolve("alias", port=None, user=None)
    assert raised.value.layer == "config"
    assert raised.value.hint == "try: ssh -G alias"
    assert raised.value.cause


def test_a_host_that_looks_like_an_option_is_not_one(configure: Any) -> None:
    with pytest.raises(HostUnreachable):
        resolve("-oProxyCommand=touch /tmp/never", port=None, user=None)


def test_where_there_is_no_ssh_the_configuration_is_read_all_the_same(
    configure: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure("Host alias\n  HostName 192.0.2.7\n  Port 2222\n  User somebody\n")
    monkeypatch.setenv("PATH", "/nowhere")
    config = resolve("alias", port=None, user=None)
    assert (config.hostname, config.port, config.user) == ("192.0.2.7", 2222, "somebody")


@pytest.mark.parametrize(
    ("config", "user"),
    [
        ("", "root"),
        ("Host alias\n  User alice\n", "alice"),
        ("Host other\n  User alice\n", "root"),
        ("User bob\n", "bob"),
    ],
)
def test_the_accounts_own_configuration_is_read_and_its_users_name_counts_where_it_is_written(
    tmp_path: Path, config: str, user: str
) -> None:
    """The account is alice's: ``ssh -G`` names her whether her configuration does or not."""
    ssh = tmp_path / "alice" / ".ssh"
    ssh.mkdir(parents=True, mode=0o700)
    (ssh / "config").write_text(config)
    (ssh / "config").chmod(0o600)
    (tmp_path / "passwd").write_text(f"alice:x:{os.getuid()}:{os.getgid()}:,,,:{tmp_path}/alice:/bin/sh\n")
    done = python_after(
        'mount --bind "$1" /etc/passwd; export LOGNAME=alice HOME="$2"',
        """
        from machine.ssh.config import resolve
        print(resolve("alias", port=None, user=None).user)
        """,
        str(tmp_path / "passwd"),
        str(tmp_path / "alice"),
    )
    assert done.stdout == f"{user}\n"


def test_tokens_that_ssh_leaves_are_filled_in() -> None:
    config = SSHConfig(hostname="192.0.2.7", port=2222, user="me")
    assert config.expanded("nc %h %p # %r 100%% %x") == "nc 192.0.2.7 2222 # me 100% %x"


def test_a_host_behind_a_bastion_is_reached_with_both_keys_checked(
    configure: Any, tmp_path: Path, sshd: Sshd, behind: Sshd, key: Path, opened: list[Connection]
) -> None:
    file = known(tmp_path / "known", sshd, behind)
    configure(
        f"Host inner\n  HostName 127.0.0.1\n  Port {behind.port}\n  ProxyJump bastion\n"
        f"Host bastion\n  HostName 127.0.0.1\n  Port {sshd.port}\n"
        f"Host *\n  User {USER}\n  IdentityFile {key}\n  UserKnownHostsFile {file}\n"
    )
    connection = reach("inner", port=None, user=None, deadline=Deadline(20), ask_passphrase=never_ask)
    opened.append(connection)
    assert connection.verdict.source == "known_hosts"
    assert connection.run("echo $SSH_CONNECTION", Deadline(10)).stdout.split()[3] == str(behind.port).encode()
    assert f"target 127.0.0.1 port {behind.port}" in sshd.log()


def test_several_bastions_are_passed_in_their_order(
    configure: Any, tmp_path: Path, sshd: Sshd, behind: Sshd, key: Path, opened: list[Connection]
) -> None:
    with serving(tmp_path / "third") as third:
        let_in(third, key)
        file = known(tmp_path / "known", sshd, behind, third)
        configure(f"Host *\n  User {USER}\n  IdentityFile {key}\n  UserKnownHostsFile {file}\n"
                  f"Host 127.0.0.1\n  ProxyJump none\n"
                  f"Host inner\n  HostName 127.0.0.1\n  Port {third.port}\n"
                  f"  ProxyJump {USER}@127.0.0.1:{sshd.port},ssh://127.0.0.1:{behind.port}\n")  # fmt: skip
        connection = reach("inner", port=None, user=None, deadline=Deadline(20), ask_passphrase=never_ask)
        opened.append(connection)
        assert connection.run("true", Deadline(10)).exit_status == 0
        assert f"target 127.0.0.1 port {behind.port}" in sshd.log()
        assert f"target 127.0.0.1 port {third.port}" in behind.log()
        connection.close()
        opened.clear()


def test_a_bastion_whose_key_is_not_known_is_not_used_even_at_first_use(
    configure: Any, tmp_path: Path, sshd: Sshd, behind: Sshd, key: Path
) -> None:
    file = known(tmp_path / "known", behind)
    configure(
        f"Host inner\n  HostName 127.0.0.1\n  Port {behind.port}\n  ProxyJump 127.0.0.1:{sshd.port}\n"
        f"Host *\n  User {USER}\n  IdentityFile {key}\n  UserKnownHostsFile {file}\n"
    )
    with pytest.raises(HostKeyRejected, match="is not known"):
        reach("inner", port=None, user=None, deadline=Deadline(20), accept_first=True, ask_passphrase=never_ask)
    assert "userauth-request" not in behind.log()


def test_a_closed_port_behind_a_bastion_says_so(configure: Any, tmp_path: Path, sshd: Sshd, key: Path) -> None:
    file = known(tmp_path / "known", sshd)
    configure(
        f"Host inner\n  HostName 127.0.0.1\n  Port {free_port()}\n  ProxyJump 127.0.0.1:{sshd.port}\n"
        f"Host *\n  User {USER}\n  IdentityFile {key}\n  UserKnownHostsFile {file}\n"
    )
    with pytest.raises(HostUnreachable, match="from the bastion"):
        reach("inner", port=None, user=None, deadline=Deadline(20), ask_passphrase=never_ask)


def test_a_bastion_that_jumps_to_itself_is_noticed(configure: Any) -> None:
    configure("Host loop\n  HostName 127.0.0.1\n  ProxyJump hoop\nHost hoop\n  HostName 127.0.0.1\n  ProxyJump loop\n")
    with pytest.raises(HostUnreachable) as raised:
        reach("loop", port=None, user=None, deadline=Deadline(20), ask_passphrase=never_ask)
    assert raised.value.layer == "config"


def test_a_proxy_command_is_run_by_a_shell_with_its_tokens_filled_in(
    configure: Any, tmp_path: Path, sshd: Sshd, behind: Sshd, key: Path, opened: list[Connection]
) -> None:
    file = known(tmp_path / "known", sshd, behind)
    configure(
        f"Host inner\n  HostName 127.0.0.1\n  Port {behind.port}\n"
        f"  ProxyCommand ssh -W %h:%p bastion 2>/dev/null\n"
        f"Host bastion\n  HostName 127.0.0.1\n  Port {sshd.port}\n"
        f"Host *\n  User {USER}\n  IdentityFile {key}\n  UserKnownHostsFile {file}\n  BatchMode yes\n"
    )
    connection = reach("inner", port=None, user=None, deadline=Deadline(20), ask_passphrase=never_ask)
    opened.append(connection)
    data = os.urandom(1 << 20)
    assert connection.run("cat", Deadline(20), stdin=data).stdout == data


def test_a_host_on_this_computer_is_reached_without_any_configuration(
    configure: Any, sshd: Sshd, key: Path, opened: list[Connection]
) -> None:
    configure("Host *\n  Port 1\n  ProxyCommand false\n")
    connection = reach(
        "127.0.0.1",
        port=sshd.port,
        user=USER,
        deadline=Deadline(20),
        machine_key=str(key),
        pinned=(sshd.line(),),
        through_config=False,
        ask_passphrase=never_ask,
    )
    opened.append(connection)
    assert connection.run("true", Deadline(10)).exit_status == 0


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("host", (None, "host", None)),
        ("me@host:2222", ("me", "host", 2222)),
        ("me@corp@host", ("me@corp", "host", None)),
        ("[2001:db8::7]:2222", (None, "2001:db8::7", 2222)),
        ("me@[2001:db8::7]", ("me", "2001:db8::7", None)),
        ("ssh://me@host:2222", ("me", "host", 2222)),
    ],
)
def test_a_jump_is_taken_apart(text: str, parts: tuple[str | None, str, int | None]) -> None:
    assert _split_jump(text) == parts
