"""A host as docker-machine leaves it, and its store: taken over, used, and given the agent when that is asked for."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.conformance.authorities import rsa_leaf
from tests.conformance.old_stores import OldStore, version_3
from tests.e2e.command import Pymachine, debian_docker_client
from tests.testbed.fixtures import HostFactory
from tests.testbed.host import Host

pytestmark = pytest.mark.e2e

# libmachine/provision: what its generic driver writes on a host with systemd, with Debian's place of dockerd.
UNIT = """[Service]
ExecStart=
ExecStart=/usr/sbin/dockerd -H tcp://0.0.0.0:2376 -H unix:///var/run/docker.sock --tlsverify \
--tlscacert /etc/docker/ca.pem --tlscert /etc/docker/server.pem --tlskey /etc/docker/server-key.pem \
--label provider=generic
Environment=
"""
STATE = "systemctl show -p MainPID -p ActiveEnterTimestampMonotonic docker.service"


def as_docker_machine_leaves_it(old: OldStore, host: Host) -> Path:
    """Set the host's engine up with TLS of its own, and write the machine's directory."""
    place = old.machine("web", version_3(IPAddress=host.address, labels=("provider=generic",)), address=host.address)
    rsa_leaf(place, old.authority, ("server.pem", "server-key.pem"), address=host.address)
    key = (place / "id_rsa.pub").read_text()
    host.run("cat >>~/.ssh/authorized_keys", input=key)
    for name in ("ca.pem", "server.pem", "server-key.pem"):
        host.run(f"mkdir -p /etc/docker && cat >/etc/docker/{name}", input=(place / name).read_text())
    host.run(
        "mkdir -p /etc/systemd/system/docker.service.d"
        " && cat >/etc/systemd/system/docker.service.d/10-machine.conf"
        " && systemctl daemon-reload && systemctl restart docker",
        input=UNIT,
    )
    return place


def docker(pymachine: Pymachine, *words: str) -> str:
    """The stock client, as `env` points it at the machine."""
    environ = pymachine.docker_environ("web")
    done = subprocess.run([debian_docker_client(), *words], env=environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_machine_is_taken_over_used_and_given_the_agent_when_asked(
    pymachine: Pymachine, host_factory: HostFactory, tmp_path: Path
) -> None:
    host = host_factory(kind="docker")
    old = OldStore(tmp_path / "old")
    as_docker_machine_leaves_it(old, host)
    before, running = old.snapshot(), host.run(STATE).stdout

    said = pymachine("import", "--from-docker-machine", str(old.directory))
    assert f"web (generic at {host.address}): taken over" in said.stdout

    docker(pymachine, "ps")
    assert pymachine("ssh", "web", "hostname").stdout.strip() == host.name
    listed = json.loads(pymachine("ls", "-o", "json").stdout)
    assert [(each["name"], each["state"]) for each in listed] == [("web", "Running")]
    pymachine("scp", "web:/etc/hostname", str(tmp_path / "hostname"))
    assert (tmp_path / "hostname").read_text().strip() == host.name
    assert "the endpoint is not ours" in pymachine("regenerate-certs", "-f", "web", code=1).stderr
    assert host.run(STATE).stdout == running
    assert host.run("ls /var/lib/pymachine-agent", check=False).returncode != 0

    pymachine("provision", "web")
    assert pymachine("url", "web").stdout == f"tcp://{host.address}:2378\n"
    docker(pymachine, "ps")
    assert host.run(STATE).stdout == running  # its engine, its settings and its port 2376 stay as they are
    assert "the key" not in pymachine("ssh", "web", "true").stderr
    assert old.snapshot() == before

    pymachine("rm", "-y", "web")
    assert host.run(STATE).stdout == running
    assert host.run("ls /var/lib/pymachine-agent", check=False).returncode != 0


def test_in_place_the_command_docker_machine_goes_on_with_them(host_factory: HostFactory, tmp_path: Path) -> None:
    host = host_factory(kind="docker")
    old = OldStore(tmp_path / "old")
    place = as_docker_machine_leaves_it(old, host)
    running = host.run(STATE).stdout
    command = Pymachine(old.directory)
    command("import", "--from-docker-machine", str(old.directory), "--in-place")
    docker(command, "ps")
    # What other programs hold on to: the certificates of the store, for the old machine and after the agent has come.
    certs = ["--tlsverify", *(f"--tls{flag}={old.directory}/certs/{name}.pem" for flag, name in
                              (("cacert", "ca"), ("cert", "cert"), ("key", "key")))]  # fmt: skip
    client = debian_docker_client()
    for port in (2376, 2378):
        if port == 2378:
            command("provision", "web")
        line = [client, *certs, "-H", f"tcp://{host.address}:{port}", "ps"]
        done = subprocess.run(line, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    view = json.loads((place / "config.json").read_text())
    assert view["Driver"]["IPAddress"] == host.address
    assert (place / "id_rsa").read_bytes() == (place / "id_ed25519").read_bytes()
    assert host.run(STATE).stdout == running
