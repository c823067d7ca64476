"""Where an engine comes from, how one that is there is set, and the port that it may hold itself."""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from machine.trust.certificates import load_authority, new_authority, private_pem, sign_server
from tests.e2e.command import PYMACHINE, Pymachine
from tests.e2e.test_generic import options
from tests.testbed.aptrepository import VERSION, AptRepository, apt_repository
from tests.testbed.fixtures import HostFactory
from tests.testbed.host import Host, make_host
from tests.testbed.snapshot import difference, snapshot

pytestmark = pytest.mark.e2e
# Hosts come first among a test's fixtures, so that machines are removed while they are there.
DAEMON_JSON, DROP_IN = "/etc/docker/daemon.json", "/etc/systemd/system/docker.service.d/50-pymachine.conf"
APT = ("/etc/apt/sources.list.d/pymachine-docker.sources", "/etc/apt/keyrings/pymachine-docker.gpg")
CACHES = {"/var/cache/apt/pkgcache.bin", "/var/cache/apt/srcpkgcache.bin"}  # apt's own index of its lists


def gateway(host: Host) -> str:
    """This computer, as its machines see it."""
    return host.address.rpartition(".")[0] + ".1"


def starts(host: Host) -> int:
    """How often the engine was started."""
    said = host.run("journalctl -u docker.service -o cat -q | grep -ci 'started docker'", check=False)
    return int(said.stdout)


@pytest.fixture(scope="module")
def host_without_engine(needs_root: None) -> Iterator[Host]:
    """Python is there already, so that what a test sees is about the engine."""
    host = make_host(kind="bare")
    host.run("apt-get update -qq && apt-get install -y -qq --no-install-recommends python3 >/dev/null")
    yield host
    host.remove()


@pytest.fixture(scope="module")
def repository(host_without_engine: Host) -> Iterator[AptRepository]:
    with apt_repository(gateway(host_without_engine)) as served:
        yield served


def from_repository(host: Host, repository: AptRepository, key: str = "", *more: str) -> list[str]:
    key = key or repository.fingerprint
    return [*options(host), "--engine-repository", repository.url, "--engine-repository-key", key, *more]


def test_a_key_that_is_not_the_pinned_one_is_refused_before_anything_is_written(
    pymachine: Pymachine, host_without_engine: Host, repository: AptRepository
) -> None:
    before = snapshot(host_without_engine)
    refused = pymachine("create", *from_repository(host_without_engine, repository, "A" * 40), "key1", code=1)
    assert "is not the one that is pinned" in refused.stderr
    assert f"wanted {'A' * 40}, found {repository.fingerprint}" in refused.stderr
    assert difference(before, snapshot(host_without_engine)) == {}


def test_a_repository_that_was_tampered_with_is_refused_by_apt_and_nothing_of_it_stays(
    pymachine: Pymachine, host_without_engine: Host, repository: AptRepository
) -> None:
    before = snapshot(host_without_engine)
    repository.tamper()
    refused = pymachine("create", *from_repository(host_without_engine, repository), "evil1", code=1)
    repository.sign()
    assert "BADSIG" in refused.stderr
    assert set(difference(before, snapshot(host_without_engine))) <= CACHES


def test_a_version_that_is_not_there_is_an_error_that_lists_what_is(
    pymachine: Pymachine, host_without_engine: Host, repository: AptRepository
) -> None:
    before = snapshot(host_without_engine)
    flags = from_repository(host_without_engine, repository, "", "--engine-version", "24.0.9")
    refused = pymachine("create", *flags, "version1", code=1)
    assert "has no docker-ce 24.0.9" in refused.stderr
    assert "it has 25.0.3, 24.0.7, 23.0.6" in refused.stderr
    assert set(difference(before, snapshot(host_without_engine))) <= CACHES


def test_found_installs_nothing(pymachine: Pymachine, host_without_engine: Host) -> None:
    before = snapshot(host_without_engine)
    refused = pymachine("create", "--engine-source", "found", *options(host_without_engine), "found1", code=1)
    assert "none may be installed" in refused.stderr
    assert difference(before, snapshot(host_without_engine)) == {}


def test_the_version_asked_for_comes_from_the_repository_with_its_settings_and_without_a_question(
    pymachine: Pymachine, host_without_engine: Host, repository: AptRepository
) -> None:
    host = host_without_engine
    settings = ("--engine-version", "24.0", "--engine-label", "zone=a")
    made = pymachine("create", *from_repository(host, repository, "", *settings), "docker1")
    assert f"docker-ce {VERSION}" in made.stdout
    inspected = json.loads(pymachine("inspect", "docker1").stdout)
    assert inspected["Host"]["engine"] == {"source": "docker", "package": "docker-ce", "version": VERSION}
    assert inspected["EngineOptions"]["version"] == "24.0"
    assert json.loads(host.run(f"cat {DAEMON_JSON}").stdout) == {"labels": ["zone=a"]}
    again = starts(host)
    pymachine("provision", "docker1")
    assert starts(host) == again
    removed = pymachine("rm", "-y", "docker1").stdout
    for stays in (*APT, "package docker-ce", "setting labels"):
        assert stays in removed
    # What is there now is never replaced.
    other = pymachine("create", "--engine-version", "27.1", *options(host), "other1", code=1)
    assert "is Docker Engine 20.10" in other.stderr
    assert "not 27.1" in other.stderr


def test_a_repository_that_is_silent_costs_seconds_and_the_distribution_s_packages_do(
    host_factory: HostFactory, pymachine: Pymachine
) -> None:
    host = host_factory(kind="bare")
    with socket.create_server((gateway(host), 443)):  # takes connections, and says nothing
        host.run(f"echo {gateway(host)} download.docker.com >>/etc/hosts")
        made = pymachine("create", *options(host), "silent1")
    assert "Warning: using the distribution's packages: the package repository" in made.stdout
    assert "does not answer (" in made.stdout
    assert "(distribution)" in made.stdout


OURS = ("--engine-label", "zone=a", "--engine-opt", "log-opt=max-size=10m", "--engine-opt", "live-restore",
        "--engine-env", 'GREETING=a "b" 100%')  # fmt: skip
THEIRS = {"log-level": "warn", "labels": ["rack=7"]}


@pytest.fixture
def found_engine(host_factory: HostFactory) -> Host:
    """A host whose engine has settings of its own."""
    host = host_factory(kind="docker")
    host.run(f"mkdir -p /etc/docker && cat >{DAEMON_JSON} && systemctl restart docker", input=json.dumps(THEIRS))
    return host


def test_settings_of_an_engine_that_is_there_are_shown_agreed_to_merged_and_need_one_restart(
    found_engine: Host, pymachine: Pymachine
) -> None:
    host = found_engine
    before, started = snapshot(host), starts(host)
    refused = pymachine("create", *options(host), *OURS, "set1", code=1)
    assert f'{DAEMON_JSON}: labels: ["rack=7"] -> ["rack=7", "zone=a"]' in refused.stdout
    assert "nothing was changed" in refused.stderr
    assert "-y" in refused.stderr
    assert difference(before, snapshot(host)) == {}

    screen = pexpect.spawn(PYMACHINE, ["create", "set1"], env=pymachine.environ(), encoding="utf-8", timeout=60)
    screen.expect("live-restore: .nothing. -> true")
    screen.expect("Go on")
    screen.sendline("y")
    screen.expect("set1 is ready")
    screen.expect(pexpect.EOF)
    assert starts(host) == started + 1
    now = json.loads(host.run(f"cat {DAEMON_JSON}").stdout)
    assert now == {**THEIRS, "labels": ["rack=7", "zone=a"], "log-opts": {"max-size": "10m"}, "live-restore": True}
    environment = host.run("tr '\\0' '\\n' </proc/$(pidof dockerd)/environ | grep GREETING").stdout
    assert environment == 'GREETING=a "b" 100%\n'

    pymachine("provision", "set1")
    assert starts(host) == started + 1
    removed = pymachine("rm", "-y", "set1").stdout
    assert re.search(r"settings [a-z, -]*labels[a-z, -]* in /etc/docker/daemon.json", removed)
    assert DROP_IN in removed


def test_settings_the_engine_does_not_start_with_are_taken_back_and_its_words_are_the_cause(
    found_engine: Host, pymachine: Pymachine
) -> None:
    before = snapshot(found_engine)
    refused = pymachine("create", "-y", *options(found_engine), "--engine-opt", "bip=nonsense", "bad1", code=1)
    assert "it runs with its old ones again" in refused.stderr
    assert "invalid CIDR address: nonsense" in refused.stderr
    assert found_engine.run("docker info >/dev/null").returncode == 0
    pymachine("rm", "-y", "bad1")
    assert difference(before, snapshot(found_engine)) == {}


def test_another_storage_driver_warns_of_what_disappears_from_view(
    host_factory: HostFactory, pymachine: Pymachine
) -> None:
    host = host_factory(kind="docker")
    host.run("cd $(mktemp -d) && tar c --files-from=/dev/null | docker import - seen")
    refused = pymachine("create", *options(host), "--engine-storage-driver", "vfs", "view1", code=1)
    assert "1 images" in refused.stdout
    assert "disappear from view" in refused.stdout
    # The one it has already is no change.
    driver = host.run("docker info -f '{{.Driver}}'").stdout.strip()
    pymachine("rm", "-y", "view1")
    pymachine("create", *options(host), "--engine-storage-driver", driver, "view1")
    assert host.run(f"test -e {DAEMON_JSON}", check=False).returncode == 1


def own_tls(host: Host, form: str, folder: Path) -> None:
    """Give the engine a TLS endpoint of its own at 2376, as docker-machine did or as people do."""
    pair = new_authority("theirs")
    key = ec.generate_private_key(ec.SECP256R1())
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    server = sign_server(load_authority(pair), public, store="theirs", machine="x", names=[host.address])
    files = {"ca.pem": pair.certificate, "server.pem": server, "server-key.pem": private_pem(key)}
    host.run("mkdir -p /etc/docker /etc/systemd/system/docker.service.d")
    for name, content in files.items():
        host.run(f"cat >/etc/docker/{name}", input=content.decode())
    tls = {"tlsverify": True, "tlscacert": "/etc/docker/ca.pem", "tlscert": "/etc/docker/server.pem",
           "tlskey": "/etc/docker/server-key.pem"}  # fmt: skip
    flags = " ".join(f"--{name}" if value is True else f"--{name} {value}" for name, value in tls.items())
    drop_in = "/etc/systemd/system/docker.service.d/10-machine.conf"
    if form == "drop-in":
        start = f"/usr/sbin/dockerd -H tcp://0.0.0.0:2376 -H unix:///var/run/docker.sock {flags}"
    else:
        start = "/usr/sbin/dockerd"
        hosts = ["unix:///var/run/docker.sock", "tcp://0.0.0.0:2376"]
        host.run(f"cat >{DAEMON_JSON}", input=json.dumps({"hosts": hosts, **tls}))
    host.run(f"cat >{drop_in}", input=f"[Service]\nExecStart=\nExecStart={start}\nEnvironment=\n")
    host.run("systemctl daemon-reload && systemctl restart docker && docker info >/dev/null")


@pytest.mark.parametrize("form", ["drop-in", "daemon.json"])
def test_an_engine_with_its_own_tls_keeps_its_port_until_it_is_told_to_leave_it(
    host_factory: HostFactory, pymachine: Pymachine, tmp_path: Path, form: str
) -> None:
    host = host_factory(kind="docker")
    own_tls(host, form, tmp_path)
    started = starts(host)
    flags = [*options(host), "--generic-engine-port", "2376"]
    refused = pymachine("create", *flags, "insists1", code=1)
    assert "port 2376 of the host is taken by dockerd" in refused.stderr
    pymachine("rm", "-y", "insists1")

    made = pymachine("create", *options(host), "port1")
    assert "the agent takes 2378" in made.stdout
    assert pymachine("url", "port1").stdout == f"tcp://{host.address}:2378\n"
    pymachine("provision", "port1")
    assert pymachine("url", "port1").stdout == f"tcp://{host.address}:2378\n"
    assert starts(host) == started

    before = snapshot(host)
    refused = pymachine("provision", "--take-port", "port1", code=1)
    assert "tcp://0.0.0.0:2376" in refused.stdout
    assert "nothing was changed" in refused.stderr
    assert difference(before, snapshot(host)) == {}
    pymachine("provision", "--take-port", "-y", "port1")
    assert pymachine("url", "port1").stdout == f"tcp://{host.address}:2376\n"
    assert starts(host) == started + 1
    assert pymachine("status", "port1").stdout == "Running\n"
    assert "0.0.0.0:2376" not in host.run("cat /etc/systemd/system/docker.service.d/*; cat /etc/docker/*.json").stdout


def test_a_port_that_another_program_holds_is_an_error_that_names_it(
    host_factory: HostFactory, pymachine: Pymachine
) -> None:
    host = host_factory(kind="docker")
    listen = "import socket,time; s=socket.create_server(('', 2376)); time.sleep(600)"
    host.run(f'systemd-run --unit=squatter -q python3 -c "{listen}"')
    until = time.monotonic() + 10
    while ":2376" not in host.run("ss -ltn").stdout and time.monotonic() < until:
        time.sleep(0.05)
    refused = pymachine("create", *options(host), "held1", code=1)
    assert "port 2376 of the host is taken by python3" in refused.stderr
