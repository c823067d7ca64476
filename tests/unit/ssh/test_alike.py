"""``ssh -G`` is asked once for many hosts, where its answer is that of all of them, and otherwise for each."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from machine.ssh import config as config_module
from machine.ssh.config import resolve

Configure = Callable[[str], object]


@pytest.fixture
def asked(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """How often ssh was run; its configuration is ``~/.ssh/config``."""
    (home / ".ssh").mkdir(mode=0o700)
    (home / ".ssh" / "config").write_text("")
    wrapper, log = tmp_path / "bin" / "ssh", tmp_path / "asked"
    wrapper.parent.mkdir()
    wrapper.write_text(f'#!/bin/sh\necho >>"{log}"\nexec /usr/bin/ssh -F "{home}/.ssh/config" "$@"\n')
    wrapper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{wrapper.parent}:{os.environ['PATH']}")
    log.touch()
    return lambda: len(log.read_text().splitlines())


@pytest.fixture
def configure(asked: Callable[[], int], home: Path) -> Configure:
    """Write ``~/.ssh/config``."""
    return (home / ".ssh" / "config").write_text


def names(count: int = 3) -> list[str]:
    return [f"198.18.0.{number}" for number in range(1, count + 1)]


@pytest.mark.parametrize(
    "config",
    ["", "# nothing\n", "User ada\nPort 2222\n", "Host *\n  User=ada\n  IdentityFile ~/.ssh/work\n"],
)
def test_where_hosts_are_alike_one_answer_is_that_of_all(
    asked: Callable[[], int], configure: Configure, monkeypatch: pytest.MonkeyPatch, config: str
) -> None:
    configure(config)
    shared = [resolve(name, port=None, user="root") for name in names()]
    assert asked() == 1
    alone = []
    for name in names():
        settings = config_module._from_ssh(name, None, "root")[0]
        monkeypatch.setattr(config_module._alike, "settings", lambda *_, settings=settings: settings)
        alone.append(resolve(name, port=None, user="root"))
    assert shared == alone


@pytest.mark.parametrize(
    "config",
    [
        "Host 198.18.0.2\n  Port 2222\n",
        "Host *.2\n  Port 2222\n",
        "Host * !198.18.0.2\n  Port 2222\n",
        'Host "*"\n  Port 2222\n',
        "Match host 198.18.0.2\n  Port 2222\n",
        "IdentityFile ~/.ssh/%h\n",
        "ProxyJump bastion\n",
        "ProxyCommand nc somewhere 22\n",
        "CanonicalizeHostname yes\n",
        "HostName elsewhere\n",
    ],
)
def test_where_they_may_differ_each_is_asked_for(asked: Callable[[], int], configure: Configure, config: str) -> None:
    configure(config)
    for name in names():
        resolve(name, port=None, user="root")
    assert asked() == 3


def test_what_an_included_file_says_counts(asked: Callable[[], int], configure: Configure, home: Path) -> None:
    (home / "more").write_text("Host 198.18.0.2\n  Port 2222\n")
    configure(f"Include {home}/more\n")
    assert [resolve(name, port=None, user="root").port for name in names()] == [22, 2222, 22]
    (home / "more").write_text("Port 2222\n")
    assert [resolve(name, port=None, user="root").port for name in names()] == [2222, 2222, 2222]
    assert asked() == 4


def test_a_configuration_that_has_changed_is_read_again(asked: Callable[[], int], configure: Configure) -> None:
    configure("Port 2222\n")
    assert resolve("198.18.0.1", port=None, user="root").port == 2222
    configure("Port 22\n")
    assert resolve("198.18.0.1", port=None, user="root").port == 22


def test_what_differs_in_the_question_is_asked_anew(asked: Callable[[], int]) -> None:
    assert [resolve("198.18.0.1", port=port, user=user).user for port, user in ((None, "a"), (1, "a"), (1, "b"))] == [
        "a", "a", "b",
    ]  # fmt: skip
    assert asked() == 3


def test_many_threads_ask_once(asked: Callable[[], int]) -> None:
    together = threading.Barrier(16)
    found: list[str] = []

    def one(name: str) -> None:
        together.wait(10)
        found.append(resolve(name, port=None, user="root").hostname)

    threads = [threading.Thread(target=one, args=(name,)) for name in names(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found) == sorted(names(16))
    assert asked() == 1
