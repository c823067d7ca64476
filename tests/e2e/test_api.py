"""The examples of ``docs/api.md`` that need real machines, and the script of fifteen lines."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

import machine
from tests.e2e.command import busybox_image
from tests.unit.api.examples import DOCS, Example, examples, name_of

pytestmark = pytest.mark.e2e


@pytest.fixture(autouse=True)
def no_bundle(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library of docker's client for Python prefers these to the CA that it is told."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory, needs_root: None) -> Iterator[machine.Client]:
    """With the machines of the document's first lines, as far as its examples name them."""
    with machine.Client(tmp_path_factory.mktemp("store"), timeout=120) as opened:
        try:
            opened.create("dev", driver="nspawn")
            opened.create_many("web", 2, driver="nspawn", labels={"role": "web"}).raise_first()
            yield opened
        finally:
            opened.rm(opened.machines(), force=True)


@pytest.mark.parametrize("example", [each for each in examples() if each.needs == "machines"], ids=name_of)
def test_an_example_works(client: machine.Client, example: Example, capfd: pytest.CaptureFixture[str]) -> None:
    example.run(client=client, machine=machine)
    assert capfd.readouterr().err == ""
    assert {each.name for each in client.machines()} == {"dev", "web-1", "web-2"}


def test_what_runs_on_hosts_is_told_as_it_comes_and_by_its_exit_code(client: machine.Client) -> None:
    heard: list[tuple[str, str]] = []
    outcomes = client.run(
        "echo out; echo err >&2; cat; test $(hostname) = web-1",
        ["web-*"],
        stdin="ü".encode(),
        on_output=lambda each, text: heard.append((each.name, text)),
    )
    assert outcomes.ok
    assert [(each.machine, each.result.status) for each in outcomes] == [("web-1", 0), ("web-2", 1)]
    for each in outcomes:
        assert (each.result.stdout, each.result.stderr) == ("out\nü", "err\n")
        assert "".join(text for name, text in heard if name == each.machine) == each.result.stdout
    assert client.run("id -un", "dev", sudo=True).stdout == "root\n"


def test_one_connection_is_for_many_commands_and_ends_with_its_context(client: machine.Client) -> None:
    with client.ssh("dev") as host:
        counted = "ss -Htn state established '( sport = :22 )' | wc -l"
        assert {host.run(counted).stdout for _ in range(3)} == {"1\n"}
        assert host.run("exit 3").status == 3
        with pytest.raises(machine.errors.DeadlineExceeded):
            host.run("sleep 60", timeout=0.5)
    with pytest.raises(machine.PymachineError):
        host.run("true")


def test_a_copy_that_fails_says_what_the_program_said(
    client: machine.Client, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(machine.PymachineError) as caught:
        client.scp("dev:/nowhere/at/all", "/tmp")
    assert "No such file" in (caught.value.cause or "")
    assert capfd.readouterr() == ("", "")


def test_a_tunnel_ends_at_the_engine_as_long_as_it_is_open(client: machine.Client) -> None:
    config = client.config("dev")
    tls = docker.tls.TLSConfig(ca_cert=config.ca, client_cert=(config.cert, config.key), verify=True)
    with client.tunnel("dev", port=0) as tunnel:
        engine = docker.DockerClient(base_url=f"tcp://localhost:{tunnel.local_port}", tls=tls)
        assert engine.ping()
        engine.close()
    assert not tunnel.alive


def test_five_machines_are_made_used_and_gone_by_the_script(tmp_path: Path, nothing_stays: None) -> None:
    image, store = busybox_image(tmp_path / "busybox.tar"), tmp_path / "store"
    environ = {**os.environ, "PYMACHINE_HOME": str(store), "MACHINE_DRIVER": "nspawn"}
    line = [sys.executable, str(DOCS / "five_machines.py"), str(image)]
    done = subprocess.run(line, env=environ, capture_output=True, text=True, timeout=240, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == [f"five-{number} says hello" for number in range(1, 6)]
    with machine.Client(store) as client:
        assert client.machines() == []
        assert client.gc().ok
