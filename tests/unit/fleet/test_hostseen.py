"""A host beside how it was left: what is said of each difference, and that nothing is said where nobody knows."""

from __future__ import annotations

from typing import Any

import pytest

from machine.fleet.hostseen import HostSeen, changed_environment, changed_files, changed_settings

A, B = "a" * 64, "b" * 64
MOTD = "/etc/motd"


@pytest.mark.parametrize(
    ("recorded", "seen", "lines"),
    [
        (f"{A} 0644 root:root", f"{A} 644:0:0:root:root", ()),
        (f"{A} 0644 0:0", f"{A} 644:0:0:root:root", ()),
        (f"{A} 0644 app", f"{A} 644:7:8:app:users", ()),
        (f"{A} 0644 app:8", f"{A} 644:7:8:app:domain users", ()),
        (f"{A} 4755 root:root", f"{A} 4755:0:0:root:root", ()),
        (f"{A} 0644 root:root", f"{B} 644:0:0:root:root", ("/etc/motd was changed on the host",)),
        (f"{A} 0644 root:root", f"{A} 600:0:0:root:root", ("/etc/motd has the mode 0600 on the host, not 0644",)),
        (f"{A} 0644 root", f"{A} 644:7:0:app:root", ("/etc/motd belongs to app:root on the host, not to root",)),
        (f"{A} 0644 app:app", f"{A} 644:7:0:app:root", ("/etc/motd belongs to app:root on the host, not to app:app",)),
        (f"{A} 0644 root:root", f"{B} 600:0:0:root:root",
         ("/etc/motd was changed on the host", "/etc/motd has the mode 0600 on the host, not 0644")),
        (f"{A} 0644 root:root", "missing", ("/etc/motd was removed on the host",)),
        (f"{A} 0644 root:root", "other", ("/etc/motd is no file any more on the host",)),
        (f"{A} 0644 root:root", "unread", ()),
    ],
)  # fmt: skip
def test_a_file_is_compared_by_content_mode_and_owner(recorded: str, seen: str, lines: tuple[str, ...]) -> None:
    found = changed_files({MOTD: recorded}, HostSeen(files={MOTD: seen}))
    assert found == ({MOTD: lines} if lines else {})


def test_a_file_of_which_the_host_said_nothing_is_not_changed() -> None:
    assert changed_files({MOTD: f"{A} 0644 root:root"}, HostSeen()) == {}


@pytest.mark.parametrize(
    ("wanted", "text", "storage", "lines"),
    [
        ({}, "not even JSON", "", []),
        ({"mtu": 1400}, '{"mtu": 1400, "debug": true}', "", []),
        ({"mtu": 1400}, '{"mtu": 1500}', "", ["/etc/docker/daemon.json: mtu was changed on the host"]),
        ({"mtu": 1400}, "{}", "", ["/etc/docker/daemon.json: mtu was removed on the host"]),
        ({"mtu": 1400}, "", "", ["/etc/docker/daemon.json: mtu was removed on the host"]),
        ({"mtu": 1400}, "{", "", ["/etc/docker/daemon.json cannot be understood on the host"]),
        ({"mtu": 1400}, "[]", "", ["/etc/docker/daemon.json cannot be understood on the host"]),
        ({"labels": ["a=b"]}, '{"labels": ["c=d", "a=b"]}', "", []),
        ({"labels": ["a=b"]}, '{"labels": ["c=d"]}', "", ["/etc/docker/daemon.json: labels was changed on the host"]),
        ({"log-opts": {"max-size": "1m"}}, '{"log-opts": {"max-size": "1m", "max-file": "3"}}', "", []),
        ({"storage-driver": "overlay2"}, "{}", "overlay2", []),
        ({"storage-driver": "overlay2"}, "{}", "", []),
        ({"storage-driver": "overlay2"}, "{}", "vfs",
         ["/etc/docker/daemon.json: storage-driver was removed on the host"]),
    ],
)  # fmt: skip
def test_settings_are_compared_and_what_else_the_host_has_is_its_own(
    wanted: dict[str, Any], text: str, storage: str, lines: list[str]
) -> None:
    assert changed_settings(wanted, text, storage) == lines


def test_variables_of_the_engine_are_compared_and_no_value_is_said() -> None:
    wanted = {"HTTP_PROXY": "http://me:canary-4711@proxy", "ODD": 'a"b\\c%d=e', "GONE": "1"}
    text = '[Service]\nEnvironment="HTTP_PROXY=http://me:other@proxy"\nEnvironment="ODD=a\\"b\\\\c%%d=e"\n'
    where = "/etc/systemd/system/docker.service.d/50-pymachine.conf"
    assert changed_environment(wanted, text) == [
        f"{where}: HTTP_PROXY was changed on the host",
        f"{where}: GONE was removed on the host",
    ]
