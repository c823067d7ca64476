"""Files to, from and between machines; certificates and engines made new: on two hosts that exist."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.command import Pymachine, debian_docker_client
from tests.e2e.test_generic import options
from tests.testbed.host import Host, make_host

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory, needs_root: None) -> Iterator[tuple[Pymachine, Host, Host]]:
    """Two hosts with an SSH server at a port of its own each, as the machines a and b."""
    command = Pymachine(tmp_path_factory.mktemp("store with space"))
    hosts = [make_host(kind="docker"), make_host(kind="docker")]
    for name, host, port in zip("ab", hosts, (2201, 2202), strict=True):
        host.run(f"echo 'Port {port}' >/etc/ssh/sshd_config.d/port.conf; systemctl restart ssh")
        command("create", *options(host, **{"ssh-port": str(port)}), name)
    yield command, hosts[0], hosts[1]
    command("rm", "-f", "a", "b", code=None)
    for host in hosts:
        host.remove()


def test_files_go_to_a_machine_and_back(two: tuple[Pymachine, Host, Host], tmp_path: Path) -> None:
    pymachine = two[0]
    (tmp_path / "my file").write_bytes(os.urandom(100_000))
    pymachine("scp", "-q", str(tmp_path / "my file"), "a:/root/there")
    pymachine("scp", "a:/root/there", f"localhost:{tmp_path}/back")
    assert (tmp_path / "back").read_bytes() == (tmp_path / "my file").read_bytes()
    (tmp_path / "tree" / "leaf").mkdir(parents=True)
    (tmp_path / "tree" / "leaf" / "green").write_text("1")
    pymachine("scp", "-r", str(tmp_path / "tree"), "root@a:/root/tree")
    assert pymachine("ssh", "a", "cat", "/root/tree/leaf/green").stdout == "1"


def test_a_copy_between_two_machines_uses_each_one_s_own_key_and_port(
    two: tuple[Pymachine, Host, Host], tmp_path: Path
) -> None:
    pymachine = two[0]
    (tmp_path / "file").write_bytes(os.urandom(1000))
    pymachine("scp", str(tmp_path / "file"), "a:/root/between")
    pymachine("scp", "a:/root/between", "b:/root/between")
    digest = hashlib.sha256((tmp_path / "file").read_bytes()).hexdigest()
    assert pymachine("ssh", "b", "sha256sum", "/root/between").stdout.split()[0] == digest


def test_the_exit_code_is_that_of_scp(two: tuple[Pymachine, Host, Host], tmp_path: Path) -> None:
    refused = two[0]("scp", "a:/nonexistent", str(tmp_path), code=1)
    assert "No such file" in refused.stderr
    assert list(Path("/tmp").glob("pymachine-ssh-*")) == []


def test_another_host_key_is_refused(two: tuple[Pymachine, Host, Host], tmp_path: Path) -> None:
    pymachine = two[0]
    known = pymachine.store / "machines" / "b" / "known_hosts"
    kept = known.read_text()
    known.write_text((pymachine.store / "machines" / "a" / "known_hosts").read_text().replace("a,", "b,", 1))
    try:
        refused = pymachine("scp", "b:/etc/hostname", str(tmp_path), code=None)
        assert refused.returncode not in (0, 1)
        assert not (tmp_path / "hostname").exists()
    finally:
        known.write_text(kept)


@pytest.mark.skipif(shutil.which("rsync") is None, reason="needs rsync on this computer")
def test_delta_is_rsync(two: tuple[Pymachine, Host, Host], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("1")
    done = two[0]("scp", "-d", "-q", str(tmp_path / "file"), "a:/root/delta", code=None)
    assert done.returncode == 0 or "rsync: command not found" in done.stderr  # on the host


def test_new_certificates_restart_nothing(two: tuple[Pymachine, Host, Host]) -> None:
    pymachine = two[0]
    files = pymachine.store / "machines" / "a"
    state = "systemctl show -p MainPID -p ActiveEnterTimestampMonotonic docker pymachine-agent"
    before, client = host_run(pymachine, state), (files / "cert.pem").read_bytes()
    server = (files / "server.pem").read_bytes()
    said = pymachine("regenerate-certs", "a", stdin="y\n")
    assert said.stdout.startswith("Regenerate TLS machine certs?  Warning: this is irreversible. (y/n): ")
    assert (files / "server.pem").read_bytes() != server
    assert (files / "cert.pem").read_bytes() == client
    pymachine("regenerate-certs", "-f", "--client-certs", "a")
    assert (files / "cert.pem").read_bytes() != client
    assert host_run(pymachine, state) == before
    docker_works(pymachine)


def test_an_engine_with_nothing_newer_is_left_alone(two: tuple[Pymachine, Host, Host]) -> None:
    pymachine = two[0]
    state = "systemctl show -p MainPID docker"
    before = host_run(pymachine, state)
    assert "Nothing to do." in pymachine("upgrade", "a").stdout
    assert host_run(pymachine, state) == before


# The host's own package once more, with a higher version, in a repository on the host itself.
NEWER = """set -e
mkdir -p /srv/newer && cd /srv/newer
apt-get update -qq
apt-get download -q docker.io
dpkg-deb -R docker.io_*.deb tree
sed -i 's/^Version: .*/&+newer1/' tree/DEBIAN/control
dpkg-deb -Znone -b tree new.deb && rm -r tree docker.io_*.deb
{ dpkg-deb -f new.deb; echo "Filename: ./new.deb"; echo "Size: $(stat -c %s new.deb)"
  echo "SHA256: $(sha256sum new.deb | cut -d' ' -f1)"; } >Packages
echo 'deb [trusted=yes] file:/srv/newer ./' >/etc/apt/sources.list.d/newer.list
"""


def test_an_engine_with_something_newer_is_upgraded(two: tuple[Pymachine, Host, Host]) -> None:
    pymachine = two[0]
    pymachine("ssh", "b", NEWER)
    said = pymachine("upgrade", "b").stdout.splitlines()[-1]
    assert said.startswith("b is upgraded from docker.io ")
    assert said.endswith("+newer1.")
    assert pymachine("ssh", "b", "dpkg-query -W docker.io").stdout.endswith("+newer1\n")
    assert pymachine("status", "b").stdout == "Running\n"
    assert "Nothing to do." in pymachine("upgrade", "b").stdout


def host_run(pymachine: Pymachine, line: str) -> str:
    """What a command says on the host of a."""
    return pymachine("ssh", "a", line).stdout


def docker_works(pymachine: Pymachine) -> None:
    """The stock client reaches the engine of a."""
    environ = pymachine.docker_environ("a")
    subprocess.run([debian_docker_client(), "version"], env=environ, check=True, stdout=subprocess.DEVNULL)
