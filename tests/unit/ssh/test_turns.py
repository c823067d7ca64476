"""Many hosts behind one bastion: it is not asked for more logins at once than it lets in."""

from __future__ import annotations

import os
import stat
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from machine.deadline import Cancellation, Deadline
from machine.errors import Cancelled, DeadlineExceeded
from machine.ssh import reach as reaching
from machine.ssh.credentials import never_ask
from machine.ssh.reach import reach
from machine.ssh.turns import AT_ONCE, turn
from tests.unit.ssh.conftest import let_in
from tests.unit.ssh.sshd import USER, Sshd, serving

MANY = 4 * AT_ONCE


def test_many_hosts_at_once_are_reached_through_a_bastion_that_drops_the_eleventh_login(
    tmp_path: Path, sshd: Sshd, key: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(tmp_path / "bastion", extra="MaxStartups 10:100:10") as bastion:
        let_in(bastion, key)
        known = tmp_path / "known"
        known.write_text("".join(f"[127.0.0.1]:{each.port} {each.line()}\n" for each in (bastion, sshd)))
        config = tmp_path / "config"
        config.write_text(
            f"Host inner\n  HostName 127.0.0.1\n  Port {sshd.port}\n  ProxyJump bastion\n"
            f"Host bastion\n  HostName 127.0.0.1\n  Port {bastion.port}\n"
            f"Host *\n  User {USER}\n  IdentityFile {key}\n  UserKnownHostsFile {known}\n"
        )
        _use(config, tmp_path, monkeypatch)
        most = _all_at_the_door_together(bastion.port, monkeypatch)

        def connect(_number: int) -> int:
            with reach("inner", port=None, user=None, deadline=Deadline(60), ask_passphrase=never_ask) as connection:
                return connection.run("true", Deadline(30)).exit_status

        with ThreadPoolExecutor(MANY) as pool:
            assert list(pool.map(connect, range(MANY))) == [0] * MANY
        assert max(most) == AT_ONCE


def _all_at_the_door_together(port: int, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Let logins at this port begin together, as many as there may be; returns how many were at it, each time."""
    connect, together, lock = reaching.connect, threading.Barrier(AT_ONCE), threading.Lock()
    now, most = [0], [0]

    def counted(host: str, to: int, *arguments: Any, **named: Any) -> Any:
        if to != port:
            return connect(host, to, *arguments, **named)
        with lock:
            now[0] += 1
            most.append(now[0])
        try:
            together.wait(30)
            return connect(host, to, *arguments, **named)
        finally:
            with lock:
                now[0] -= 1

    monkeypatch.setattr(reaching, "connect", counted)
    return most


def _use(config: Path, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let ssh read this configuration, as somebody's own."""
    program = place / "bin" / "ssh"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec /usr/bin/ssh -F {config} "$@"\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")


def test_no_more_have_a_turn_than_may_and_others_elsewhere_do() -> None:
    inside, leave = threading.Semaphore(0), threading.Event()

    def hold(_number: int) -> None:
        with turn("bastion.example", 22, Deadline(30)):
            inside.release()
            leave.wait(30)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        for number in range(AT_ONCE):
            pool.submit(hold, number)
        for _ in range(AT_ONCE):
            assert inside.acquire(timeout=30)
        try:
            with pytest.raises(DeadlineExceeded), turn("bastion.example", 22, Deadline(0.05)):
                pass
            cancellation = Cancellation()
            cancellation.cancel()
            with pytest.raises(Cancelled), turn("bastion.example", 22, Deadline(30, cancellation=cancellation)):
                pass
            with turn("other.example", 22, Deadline(0.05)):
                pass
        finally:
            leave.set()
