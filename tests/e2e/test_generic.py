"""``create -d generic``: a host that exists is adopted, used, and given back as it was."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.e2e.command import Pymachine
from tests.testbed.fixtures import HostFactory
from tests.testbed.host import Host, User, make_key
from tests.testbed.proxy import proxy
from tests.testbed.snapshot import difference, snapshot

pytestmark = pytest.mark.e2e

# What docs/host-changes.md says a host has while it is a machine.
ADDED = {
    "/etc/systemd/system/pymachine-agent.service",
    "/etc/systemd/system/pymachine-agent.socket",
    "/etc/systemd/system/multi-user.target.wants/pymachine-agent.service",
    "/etc/systemd/system/sockets.target.wants/pymachine-agent.socket",
    "/root/.ssh/authorized_keys",
    "/var/lib/pymachine-agent",
}
AGENT = "/var/lib/pymachine-agent"


def options(host: Host, **more: str) -> list[str]:
    """The flags that adopt a host with root's key."""
    given = {"ip-address": host.address, "ssh-key": str(host.identity_file), **more}
    return ["-d", "generic", *(f"--generic-{key}={value}" for key, value in given.items())]


def test_a_host_is_adopted_and_given_back_as_it_was(pymachine: Pymachine, host_factory: HostFactory) -> None:
    host = host_factory(kind="docker")
    host.run("docker info >/dev/null")
    before = snapshot(host)
    made = pymachine("create", *options(host), "web1")
    assert "trusted on first use and recorded" in made.stdout
    assert "(found)" in made.stdout
    assert pymachine("status", "web1").stdout == "Running\n"

    during = difference(before, snapshot(host))
    unlisted = {path for path in during if path not in ADDED and not path.startswith(f"{AGENT}/")}
    assert unlisted == set()
    key = (pymachine.store / "machines" / "web1" / "id_ed25519.pub").read_text().split()[1]
    lines = host.run("cat ~root/.ssh/authorized_keys").stdout.splitlines()
    assert [line for line in lines if key in line and "pymachine:" in line]
    assert host.run("hostname").stdout.strip() == host.name

    pymachine("rm", "-y", "web1")
    assert difference(before, snapshot(host)) == {}
    assert host.run("docker info >/dev/null").returncode == 0


def test_a_bare_host_gets_python_and_an_engine_from_its_own_packages(
    pymachine: Pymachine, host_factory: HostFactory
) -> None:
    host = host_factory(kind="bare")
    assert host.run("command -v python3 docker", check=False).stdout == ""
    made = pymachine("create", "--engine-source", "distribution", *options(host), "bare1")
    assert "(distribution)" in made.stdout
    assert pymachine("status", "bare1").stdout == "Running\n"
    converged = [
        step
        for step in json.loads(pymachine("inspect", "bare1").stdout)["Timeline"][0]["Steps"]
        if step["Name"] == "converge"
    ]
    assert {"docker.io", "python3"} <= set(converged[0]["Result"]["installed"])
    removed = pymachine("rm", "-y", "bare1")
    assert "kept on the host" in removed.stdout
    assert host.run("docker info >/dev/null").returncode == 0


def test_a_user_with_sudo_is_enough(pymachine: Pymachine, host_factory: HostFactory, tmp_path: Path) -> None:
    key = make_key(tmp_path / "id")
    host = host_factory(kind="docker", user=User(name="ada", authorized_keys=[key]))
    pymachine("create", *options(host, **{"ssh-user": "ada", "ssh-key": str(tmp_path / "id")}), "ada1")
    assert pymachine("ssh", "ada1", "id -un").stdout == "ada\n"
    pymachine("rm", "-y", "ada1")
    assert host.run("cat /home/ada/.ssh/authorized_keys").stdout.strip() == key


def test_a_user_without_sudo_rights_is_told_so_and_nothing_is_changed(
    pymachine: Pymachine, host_factory: HostFactory, tmp_path: Path
) -> None:
    key = make_key(tmp_path / "id")
    host = host_factory(kind="docker", user=User(name="bob", authorized_keys=[key], sudo="none"))
    before = snapshot(host)
    flags = options(host, **{"ssh-user": "bob", "ssh-key": str(tmp_path / "id")})
    refused = pymachine("create", *flags, "bob1", code=1)
    assert "sudo" in refused.stderr
    assert "Traceback" not in refused.stderr
    changed = {path for path in difference(before, snapshot(host)) if "/home/bob/.cache" not in path}
    assert {path for path in changed if not path.startswith("/var/mail")} == set()
    # Its record stays, says why, and goes without asking the host.
    assert "bob1" in pymachine("ls", "--recorded").stdout
    pymachine("rm", "-y", "bob1")


def test_no_engine_and_no_network_is_said(pymachine: Pymachine, host_factory: HostFactory) -> None:
    host = host_factory(kind="bare")
    # Python is there, the package sources are out of reach.
    host.run("apt-get update -qq && apt-get install -y -qq --no-install-recommends python3 >/dev/null")
    host.run("rm -f /var/lib/apt/lists/*_*; ip route del default")
    refused = pymachine("create", *options(host), "lost1", code=1)
    assert "engine" in refused.stderr
    assert "cause:" in refused.stderr
    assert host.run("command -v dockerd", check=False).stdout == ""


def test_the_operator_s_proxy_serves_a_host_that_has_no_other_way_out(
    pymachine: Pymachine, host_factory: HostFactory
) -> None:
    host = host_factory(kind="bare")
    host.run("ip route del default")
    gateway = host.address.rpartition(".")[0] + ".1"
    with proxy(gateway) as way_out:
        url = way_out.url.replace("//", "//ada:canary-4711@")
        made = pymachine("--debug", "create", *options(host), "proxied1", HTTP_PROXY=url)
        assert "(distribution)" in made.stdout
        assert way_out.seen
        kept = [path.read_bytes() for path in pymachine.store.rglob("*") if path.is_file()]
        said = made.stdout + made.stderr + pymachine("inspect", "proxied1").stdout
        assert [text for text in (*kept, said.encode()) if b"canary-4711" in text] == []
        pymachine("rm", "-y", "proxied1")


def test_a_wrong_key_names_what_was_offered(pymachine: Pymachine, docker_host: Host, tmp_path: Path) -> None:
    make_key(tmp_path / "stranger")
    flags = options(docker_host, **{"ssh-key": str(tmp_path / "stranger")})
    refused = pymachine("create", *flags, "x1", code=1)
    assert "does not let the user" in refused.stderr
    assert str(tmp_path / "stranger") in refused.stderr


def test_an_unreachable_port_is_told_from_an_unreachable_host(pymachine: Pymachine, docker_host: Host) -> None:
    refused = pymachine("create", *options(docker_host, **{"ssh-port": "2222"}), "x2", code=1)
    assert "nothing listens on port 2222" in refused.stderr
    # An address of the machines' own network that nobody has.
    absent = docker_host.address.rpartition(".")[0] + ".250"
    refused = pymachine("create", *options(docker_host, **{"ip-address": absent}), "x3", code=1)
    assert f"{absent} does not answer on port 22" in refused.stderr


def test_a_host_key_that_is_not_the_given_one_is_refused(pymachine: Pymachine, docker_host: Host) -> None:
    wrong = "SHA256:" + "A" * 43
    refused = pymachine("create", *options(docker_host, **{"host-key": wrong}), "x4", code=1)
    assert "is not the one you gave" in refused.stderr


def test_strict_refuses_a_host_that_is_not_known(pymachine: Pymachine, docker_host: Host) -> None:
    refused = pymachine("create", "--host-key-policy", "strict", *options(docker_host), "x5", code=1)
    assert "is not known" in refused.stderr


def test_a_changed_host_key_is_refused_loudly(pymachine: Pymachine, host_factory: HostFactory) -> None:
    host = host_factory(kind="docker")
    pymachine("create", *options(host), "key1")
    host.run(
        "rm /etc/ssh/ssh_host_ed25519_key* && ssh-keygen -q -t ed25519 -N '' -f /etc/ssh/ssh_host_ed25519_key"
        " && systemctl restart ssh"
    )
    refused = pymachine("rm", "-y", "key1", code=1)
    assert "HAS CHANGED" in refused.stderr
    assert pymachine("ssh", "key1", "true", code=255).stdout == ""
    assert pymachine("ls", "-q").stdout == "key1\n"
    pymachine("rm", "-f", "key1", code=None)


def test_the_given_host_key_is_pinned_from_the_first_contact(pymachine: Pymachine, host_factory: HostFactory) -> None:
    host = host_factory(kind="docker")
    key = subprocess.run(
        ["ssh-keygen", "-lf", "-"], input=host.host_key, capture_output=True, text=True, check=True
    ).stdout.split()[1]
    made = pymachine("create", *options(host, **{"host-key": key}), "pin1")
    assert f"{key} (as you gave it)" in made.stdout
    pymachine("rm", "-y", "pin1")


def test_the_host_s_own_docker_is_untouched_while_the_agent_serves(
    pymachine: Pymachine, host_factory: HostFactory
) -> None:
    host = host_factory(kind="docker")
    started = host.run("docker info >/dev/null; systemctl show -p ActiveEnterTimestampMonotonic docker.service").stdout
    pymachine("create", *options(host), "calm1")
    pymachine("rm", "-y", "calm1")
    assert host.run("systemctl show -p ActiveEnterTimestampMonotonic docker.service").stdout == started
