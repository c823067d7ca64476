"""User data on a real host with the real cloud-init: what it makes of it, beside the operator's own."""

from __future__ import annotations

import email
import json
import shlex
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from machine.trust.sshkeys import new_private_key, public_line
from machine.userdata import UserData, build
from tests.e2e.command import Pymachine
from tests.testbed.host import Host, make_host, make_key

pytestmark = pytest.mark.e2e
SEED = "/var/lib/cloud/seed/nocloud"


class CloudHost:
    """A host whose next boot is its first one, with user data."""

    def __init__(self, host: Host, place: Path) -> None:
        self.host, self.place = host, place
        self.identity = place / "id_ed25519"
        self.login = make_key(self.identity)
        self.known_hosts = place / "known_hosts"
        self.boots = 0

    def boot(self, own: bytes | None = None, *, engine_early: bool = False) -> None:
        """With a host key of its own that is known beforehand."""
        self.boots += 1
        host_key = new_private_key()
        data = build(
            UserData(hostname="web1", authorized_key=self.login, host_key=host_key, own=own, engine_early=engine_early)
        )
        self._enable()
        self.host.stop()
        seed = self.host.upper / SEED[1:]
        seed.mkdir(parents=True, exist_ok=True)
        (seed / "user-data").write_bytes(data)
        (seed / "meta-data").write_text(f"instance-id: i-{self.boots}\n")
        self.known_hosts.write_text(f"{self.host.address} {public_line(host_key)}\n")
        self.host.start()

    def _enable(self) -> None:
        """The nspawn driver's machines have no data for cloud-init, so there it is off."""
        if self.boots == 1:
            self.host.run("rm /etc/cloud/cloud-init.disabled")

    def run(self, command: str, *, check: bool = True) -> subprocess.CompletedProcess[str]:
        """As root, by way of the image's default user, whose login came in the user data."""
        options = ["StrictHostKeyChecking=yes", "BatchMode=yes", "LogLevel=ERROR", "ConnectTimeout=5"]
        options.append(f"UserKnownHostsFile={self.known_hosts}")
        flags = [part for option in options for part in ("-o", option)]
        command = f"sudo sh -c {shlex.quote(command)}"
        ssh = ["ssh", "-F", "/dev/null", "-i", str(self.identity), *flags, f"debian@{self.host.address}", command]
        until = time.monotonic() + 60
        while True:
            done = subprocess.run(ssh, capture_output=True, text=True, check=False, timeout=120)
            if done.returncode != 255 or time.monotonic() > until:
                break
            assert "IDENTIFICATION HAS CHANGED" not in done.stderr
            time.sleep(0.1)
        assert not check or done.returncode == 0, f"{command}: {done.stderr}{done.stdout}"
        return done


@pytest.fixture(scope="module")
def cloud_host(needs_root: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudHost]:
    host = make_host(kind="cloud")
    yield CloudHost(host, tmp_path_factory.mktemp("cloud"))
    host.remove()


def test_cloud_init_takes_all_of_it_and_keeps_both_sides_lists(cloud_host: CloudHost, tmp_path: Path) -> None:
    theirs = make_key(tmp_path / "theirs")
    own = f"#cloud-config\nruncmd: [touch /ran]\nssh_authorized_keys: ['{theirs}']\nusers: [{{name: me}}]\n"
    cloud_host.boot(own.encode())
    assert cloud_host.run("cloud-init status --wait").stdout.strip().endswith("status: done")
    assert "Valid cloud-config: system userdata" in cloud_host.run("cloud-init schema --system").stdout
    keys = cloud_host.run("cat /home/debian/.ssh/authorized_keys").stdout
    assert theirs.split()[1] in keys
    assert cloud_host.login.split()[1] in keys
    assert cloud_host.run("test -e /ran && id me && hostname").stdout.endswith("web1\n")
    assert cloud_host.run("ls /etc/ssh/ssh_host_*").stdout.split() == [
        "/etc/ssh/ssh_host_ed25519_key",
        "/etc/ssh/ssh_host_ed25519_key.pub",
    ]


def test_each_part_that_is_a_cloud_config_is_valid_by_itself(cloud_host: CloudHost) -> None:
    own = b"#include\nhttp://192.0.2.1/\n"
    told = UserData(hostname="web1", authorized_key=cloud_host.login, host_key=new_private_key(), own=own)
    parts = [each for each in email.message_from_bytes(build(told)).walk() if not each.is_multipart()]
    (text,) = [each.get_payload() for each in parts if each.get_content_type() == "text/cloud-config"]
    assert "users:" in text
    said = cloud_host.run(f"printf %s {shlex.quote(text)} >/root/part && cloud-init schema --config-file /root/part")
    assert "Valid cloud-config" in said.stdout


def test_an_operator_whose_own_data_is_broken_still_gets_a_machine_that_can_be_reached(cloud_host: CloudHost) -> None:
    cloud_host.boot(b"#cloud-config\nruncmd: 5\n")
    cloud_host.run("cloud-init status --wait", check=False)
    assert cloud_host.run("hostname").stdout == "web1\n"


def test_an_engine_that_began_with_the_boot_is_waited_for_and_is_ours(
    cloud_host: CloudHost, pymachine: Pymachine
) -> None:
    cloud_host.boot(b"#cloud-config\ntimezone: Etc/UTC\n", engine_early=True)
    given = {"ip-address": cloud_host.host.address, "ssh-user": "debian", "ssh-key": str(cloud_host.identity)}
    flags = [f"--generic-{key}={value}" for key, value in given.items()]
    made = pymachine("create", "-d", "generic", *flags, "web1")
    assert "which began while the host booted" in made.stdout
    engine = json.loads(pymachine("inspect", "web1").stdout)["Host"]["engine"]
    assert engine["source"] in ("docker", "distribution")
    assert engine["package"]
    assert cloud_host.run("test -e /var/lib/pymachine-agent/early", check=False).returncode == 1
    journal = cloud_host.run("journalctl -b -q -o cat -u pymachine-engine -u ssh").stdout
    assert journal.index("Started pymachine-engine.service") < journal.index("Server listening on")
    removed = pymachine("rm", "-y", "web1")
    assert f"package {engine['package']}" in removed.stdout
