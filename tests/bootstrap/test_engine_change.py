"""An engine that is there is set as wanted: shown, agreed to, one restart, and back as it was when that fails."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_host import FakeHost
from operator_side import Operator

from machine.errors import BootstrapFailed, ConsentNeeded

DAEMON_JSON, DROP_IN = "etc/docker/daemon.json", "etc/systemd/system/docker.service.d/50-pymachine.conf"
THEIRS = {"log-level": "warn", "labels": ["rack=7", "zone=x"], "log-opts": {"max-file": "3"}}


def engine(**wanted: Any) -> dict[str, Any]:
    return {"kind": "docker", "source": "auto", **wanted}


def restarts(host: FakeHost) -> int:
    return host.systemctl_calls().count(["restart", "docker.service"])


def daemon_json(host: FakeHost) -> Any:
    return json.loads((host.root / DAEMON_JSON).read_text())


@pytest.fixture
def set_host(host: FakeHost) -> FakeHost:
    """One whose engine has a configuration of its own."""
    host.docker_start = 0
    host.write_systemctl()
    host.file(DAEMON_JSON, json.dumps(THEIRS)).chmod(0o640)
    return host


def test_settings_are_merged_with_the_host_s_own_and_the_engine_is_restarted_once(
    set_host: FakeHost, operator: Operator
) -> None:
    settings = {"labels": ["zone=a", "rack=7"], "log-opts": {"max-size": "1m"}, "live-restore": True}
    report = operator.converge(set_host, engine=engine(settings=settings))
    assert daemon_json(set_host) == {
        "log-level": "warn",
        "labels": ["rack=7", "zone=a"],
        "log-opts": {"max-file": "3", "max-size": "1m"},
        "live-restore": True,
    }
    assert (set_host.root / DAEMON_JSON).stat().st_mode & 0o777 == 0o640
    assert restarts(set_host) == 1
    assert ("/etc/docker/daemon.json: live-restore", "", "true") in operator.changes[0].lines
    assert "restarted docker.service" in report.changed
    assert "settings labels, live-restore, log-opts in /etc/docker/daemon.json" in operator.uninstall(set_host).kept


def test_what_is_as_wanted_asks_nothing_and_restarts_nothing(set_host: FakeHost, operator: Operator) -> None:
    wanted = engine(settings={"labels": ["zone=a"]}, environment={"FOO": "b"})
    operator.converge(set_host, engine=wanted)
    before = set_host.files()
    assert operator.converge(set_host, engine=wanted).changed == ()
    assert set_host.files() == before
    assert (restarts(set_host), len(operator.changes)) == (1, 1)


def test_without_consent_nothing_at_all_is_changed(set_host: FakeHost, operator: Operator) -> None:
    operator.agrees = False
    before = set_host.files()
    with pytest.raises(ConsentNeeded):
        operator.converge(set_host, engine=engine(settings={"debug": True}))
    set_host.channels[-1].close()
    assert set_host.files() == before


def test_variables_are_a_drop_in_of_ours_quoted_as_systemd_reads_it(set_host: FakeHost, operator: Operator) -> None:
    environment = {"A": 'b "c" \\ 100%', "HTTP_PROXY": "http://user:secret@proxy:3128"}
    proxies = {"proxies": {"http-proxy": "http://user:secret@proxy:3128"}}
    report = operator.converge(set_host, engine=engine(environment=environment, settings=proxies))
    assert "user:…@proxy" in str(operator.changes)
    assert "secret" not in str(report)
    text = (set_host.root / DROP_IN).read_text()
    assert 'Environment="A=b \\"c\\" \\\\ 100%%"\n' in text
    assert (set_host.root / DROP_IN).stat().st_mode & 0o777 == 0o600
    calls = [call[0] for call in set_host.systemctl_calls()]
    assert calls.index("daemon-reload") < calls.index("restart")
    assert "secret" not in str(operator.changes)
    assert "/etc/systemd/system/docker.service.d/50-pymachine.conf" in operator.uninstall(set_host).kept


def test_settings_that_do_not_work_are_taken_back_and_the_engine_s_words_are_the_cause(
    set_host: FakeHost, operator: Operator
) -> None:
    before = (set_host.root / DAEMON_JSON).read_bytes()
    with pytest.raises(BootstrapFailed, match="runs with its old ones again") as caught:
        operator.converge(set_host, engine=engine(settings={"bip": "nonsense"}, environment={"A": "b"}))
    assert (caught.value.code, caught.value.cause) == ("engine-settings", "what the journal says")
    assert (set_host.root / DAEMON_JSON).read_bytes() == before
    assert not (set_host.root / DROP_IN).exists()
    assert restarts(set_host) == 2
    assert "changing" not in set_host.state()
    assert not set_host.own("before").exists()


def test_a_change_that_was_cut_off_is_undone_and_begun_anew(set_host: FakeHost, operator: Operator) -> None:
    """Killed after the file was written and before the engine was restarted: it must not look as if all were done."""
    wanted = engine(settings={"debug": True})
    operator.converge(set_host)
    now = set_host.file(DAEMON_JSON, json.dumps({**THEIRS, "debug": True})).read_bytes()
    set_host.own("before").mkdir()
    set_host.own("before/etc_docker_daemon.json").write_text(json.dumps(THEIRS))
    state = {**set_host.state(), "changing": {f"/{DAEMON_JSON}": hashlib.sha256(now).hexdigest()}}
    set_host.own("state.json").write_text(json.dumps(state))
    operator.converge(set_host, engine=wanted)
    assert daemon_json(set_host)["debug"] is True
    assert (restarts(set_host), len(operator.changes)) == (1, 1)
    assert "changing" not in set_host.state()

    # What somebody else has written meanwhile is not undone.
    set_host.own("state.json").write_text(json.dumps(state))
    set_host.file(DAEMON_JSON, json.dumps({"debug": True, "mtu": 1400}))
    assert operator.converge(set_host, engine=wanted).changed == ()
    assert daemon_json(set_host) == {"debug": True, "mtu": 1400}


def test_a_daemon_json_that_is_damaged_is_said_and_left_alone(set_host: FakeHost, operator: Operator) -> None:
    set_host.file(DAEMON_JSON, "{half")
    with pytest.raises(BootstrapFailed, match="cannot be understood") as caught:
        operator.converge(set_host, engine=engine(settings={"debug": True}))
    assert caught.value.code == "engine-settings"
    assert (set_host.root / DAEMON_JSON).read_text() == "{half"


@contextlib.contextmanager
def dockerd(host: FakeHost, port: int) -> Iterator[None]:
    """A program of that name which listens there, until the fake systemd restarts it without that."""
    name = host.root.parent / "dockerd"
    name.symlink_to(sys.executable)
    code = f"import socket,time; s=socket.create_server(('0.0.0.0',{port})); print(flush=True); time.sleep(60)"
    with subprocess.Popen([name, "-c", code], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        (host.root / "dockerd.pid").write_text(str(process.pid))
        try:
            yield
        finally:
            process.kill()


@pytest.fixture
def ports(operator: Operator) -> dict[str, int]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return {"port": operator.port, "fallback": free.getsockname()[1]}


def test_the_agent_takes_the_other_port_where_the_engine_has_this_one_and_stays_there(
    set_host: FakeHost, operator: Operator, ports: dict[str, int]
) -> None:
    with dockerd(set_host, operator.port):
        assert operator.converge(set_host, endpoint=ports).port == ports["fallback"]
        assert any("the agent takes" in text for text in operator.texts("warning"))
        assert operator.converge(set_host, endpoint=ports).changed == ()
        with pytest.raises(BootstrapFailed, match="is taken by dockerd") as caught:
            operator.converge(set_host, endpoint={"port": operator.port})  # this one and no other
    assert "--take-port" in str(caught.value.hint)
    assert operator.converge(set_host, endpoint=ports).port == ports["fallback"], "free by now, and still the old place"
    assert operator.converge(set_host, endpoint={**ports, "take": True}).port == operator.port


def test_another_program_keeps_its_port_and_is_named(
    set_host: FakeHost, operator: Operator, ports: dict[str, int]
) -> None:
    with (
        socket.create_server(("0.0.0.0", operator.port)),
        pytest.raises(BootstrapFailed, match=rf"process {os.getpid()}"),
    ):
        operator.converge(set_host, endpoint={**ports, "take": True})


def test_the_port_is_taken_with_one_restart_together_with_settings(
    set_host: FakeHost, operator: Operator, ports: dict[str, int]
) -> None:
    hosts = ["unix:///var/run/docker.sock", f"tcp://0.0.0.0:{operator.port}"]
    set_host.file(DAEMON_JSON, json.dumps({"hosts": hosts}))
    with dockerd(set_host, operator.port):
        operator.converge(set_host, endpoint=ports)
        operator.agrees = False
        before = set_host.files()
        with pytest.raises(ConsentNeeded):
            operator.converge(set_host, endpoint={**ports, "take": True})
        set_host.channels[-1].close()
        assert set_host.files() == before
        operator.agrees = True
        taken = {**ports, "take": True}
        report = operator.converge(set_host, endpoint=taken, engine=engine(settings={"debug": True}))
    assert report.port == operator.port
    assert restarts(set_host) == 1
    assert daemon_json(set_host) == {"hosts": hosts[:1], "debug": True}


@pytest.mark.parametrize(
    ("path", "before", "after"),
    [
        (
            "etc/systemd/system/docker.service.d/10-machine.conf",
            "[Service]\nExecStart=\nExecStart=/bin/dockerd -H tcp://0.0.0.0:PORT -H unix:///run/d.sock --tlsverify\n",
            "[Service]\nExecStart=\nExecStart=/bin/dockerd -H unix:///run/d.sock --tlsverify\n",
        ),
        (
            "etc/systemd/system/docker.service",
            "# -H tcp://0.0.0.0:PORT is text\nExecStart=dockerd -H fd:// \\\n  --host=tcp://[::]:PORT \\\n  -D\n",
            "# -H tcp://0.0.0.0:PORT is text\nExecStart=dockerd -H fd:// \\\n \\\n  -D\n",
        ),
        ("etc/default/docker", 'DOCKER_OPTS="-H tcp://0.0.0.0:PORT"\n', 'DOCKER_OPTS=""\n'),
    ],
    ids=["drop-in", "unit", "defaults"],
)
def test_the_common_places_are_found_where_an_engine_is_told_its_port(
    set_host: FakeHost, operator: Operator, ports: dict[str, int], path: str, before: str, after: str
) -> None:
    place = set_host.file(path, before.replace("PORT", str(operator.port)))
    with dockerd(set_host, operator.port):
        operator.converge(set_host, endpoint={**ports, "take": True})
    assert place.read_text() == after.replace("PORT", str(operator.port))


def test_a_place_that_is_not_known_is_left_to_people(
    set_host: FakeHost, operator: Operator, ports: dict[str, int]
) -> None:
    (set_host.root / DAEMON_JSON).unlink()
    before = set_host.files()
    with dockerd(set_host, operator.port), pytest.raises(BootstrapFailed, match="neither") as caught:
        operator.converge(set_host, endpoint={**ports, "take": True})
    assert caught.value.code == "take-port"
    assert "by hand" in str(caught.value.hint)
    assert {name: entry for name, entry in set_host.files().items() if name != "dockerd.pid"} == before


def test_a_port_the_engine_does_not_leave_is_taken_back(
    set_host: FakeHost, operator: Operator, ports: dict[str, int]
) -> None:
    """It is told in two places, and the restart shows it."""
    text = json.dumps({"hosts": [f"tcp://0.0.0.0:{operator.port}"]})
    set_host.file(DAEMON_JSON, text)
    with dockerd(set_host, operator.port):
        Path(set_host.root / "dockerd.pid").unlink()  # so the fake systemd does not stop it
        begun = time.monotonic()
        with pytest.raises(BootstrapFailed, match="old ones again") as caught:
            operator.converge(set_host, endpoint={**ports, "take": True})
        assert time.monotonic() - begun < 20
    assert "is taken by dockerd" in str(caught.value.cause)
    assert (set_host.root / DAEMON_JSON).read_text() == text
