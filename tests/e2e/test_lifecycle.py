"""Stop, start, restart, kill, provision: what a machine keeps, and what is never done twice."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from machine.drivers.nspawn import cgroup, firewall, records
from machine.drivers.nspawn.layout import ROOT_VARIABLE, Layout
from tests.e2e.command import Pymachine, debian_docker_client
from tests.e2e.test_generic import options
from tests.testbed.fixtures import HostFactory
from tests.testbed.snapshot import difference, snapshot

pytestmark = pytest.mark.e2e


@pytest.fixture
def own_machines(pymachine: Pymachine, tmp_path: Path) -> Layout:
    """A set of machines of its own for this test, which can do to it what nobody else's machines should see."""
    pymachine.environment[ROOT_VARIABLE] = str(tmp_path / "nspawn")
    return Layout.of(pymachine.environment)


def steps(pymachine: Pymachine, name: str) -> dict[str, dict[str, object]]:
    """The results of the newest operation's steps."""
    newest = json.loads(pymachine("inspect", name).stdout)["Timeline"][-1]
    return {step["Name"]: step["Result"] for step in newest["Steps"]}


def docker_works(pymachine: Pymachine, name: str) -> None:
    """The stock client reaches the engine, and believes its certificate."""
    environ = pymachine.docker_environ(name)
    subprocess.run([debian_docker_client(), "version"], env=environ, check=True, stdout=subprocess.DEVNULL)


def test_several_machines_stop_and_start_at_once(pymachine: Pymachine) -> None:
    pymachine("create", "-y", "-d", "nspawn", "a")
    pymachine("create", "-y", "-d", "nspawn", "b")
    pymachine("stop", "a", "b")
    listed = {each["name"]: each["state"] for each in json.loads(pymachine("ls", "-o", "json").stdout)}
    assert listed == {"a": "Stopped", "b": "Stopped"}
    assert "is recorded as stopped" in pymachine("env", "--shell", "sh", "a", code=1).stderr
    assert 'Host "a" is not running' in pymachine("ssh", "a", "true", code=1).stderr
    pymachine("stop", "a")  # already there is success
    pymachine("start", "a", "b")
    docker_works(pymachine, "a")
    docker_works(pymachine, "b")
    pymachine("kill", "a")
    assert pymachine("status", "a").stdout == "Stopped\n"
    assert pymachine("start", "a", "nobody", code=1).stderr.startswith('Error: no machine "nobody"')
    assert pymachine("status", "a").stdout == "Stopped\n"  # nothing was done to any


def test_a_new_address_gets_a_new_certificate_and_nothing_else(pymachine: Pymachine, own_machines: Layout) -> None:
    pymachine("create", "-y", "-d", "nspawn", "mover")
    before = pymachine("ip", "mover").stdout
    key = pymachine("ssh", "mover", "sha256sum /var/lib/pymachine-agent/key.pem").stdout
    pymachine("stop", "mover")
    _move_machines_to(own_machines, "10.233.83.0/24")
    started = pymachine("start", "mover")
    assert pymachine("ip", "mover").stdout != before
    assert "new certificate for 10.233.83." in started.stdout
    assert steps(pymachine, "mover")["converge"]["agent_sent"] is False
    assert pymachine("ssh", "mover", "sha256sum /var/lib/pymachine-agent/key.pem").stdout == key
    docker_works(pymachine, "mover")


def _move_machines_to(places: Layout, subnet: str) -> None:
    """As when another network has come to be where the machines' was: they get a free one at the next start."""
    subprocess.run(["ip", "link", "delete", places.bridge], check=True)
    firewall.remove(places.label)
    records.write_network(places, records.Network(subnet=subnet))


def test_after_a_reboot_of_the_operator_s_computer_machines_are_stopped_and_start(
    pymachine: Pymachine, own_machines: Layout
) -> None:
    pymachine("create", "-y", "-d", "nspawn", "sleeper")
    pymachine("ssh", "sleeper", "echo kept >/root/kept")
    _reboot_the_operator_s_computer(own_machines)
    assert pymachine("status", "sleeper").stdout == "Stopped\n"
    pymachine("start", "sleeper")
    assert pymachine("ssh", "sleeper", "cat /root/kept").stdout == "kept\n"
    docker_works(pymachine, "sleeper")


def _reboot_the_operator_s_computer(places: Layout) -> None:
    """What is gone after one: processes, interfaces, firewall rules and /run."""
    for record in records.all_records(places):
        cgroup.end(places.label, record.id)
    subprocess.run(["ip", "link", "delete", places.bridge], check=True)
    firewall.remove(places.label)
    shutil.rmtree(places.run)


def test_restart_brings_the_same_machine_back(pymachine: Pymachine) -> None:
    pymachine("create", "-y", "-d", "nspawn", "phoenix")
    boot = pymachine("ssh", "phoenix", "cat /proc/sys/kernel/random/boot_id; cat /proc/1/stat | cut -d' ' -f22").stdout
    pymachine("restart", "phoenix")
    assert pymachine("ssh", "phoenix", "cat /proc/1/stat | cut -d' ' -f22").stdout not in boot
    docker_works(pymachine, "phoenix")


def test_what_a_given_host_cannot_do_is_said(pymachine: Pymachine, host_factory: HostFactory) -> None:
    host = host_factory(kind="docker")
    pymachine("create", *options(host), "given1")
    for verb in ("stop", "kill", "start"):
        refused = pymachine(verb, "given1", code=1)
        assert f"the driver generic cannot {verb} a machine" in refused.stderr
    assert pymachine("status", "given1").stdout == "Running\n"


def test_a_second_provision_sends_nothing_and_changes_nothing(pymachine: Pymachine, host_factory: HostFactory) -> None:
    host = host_factory(kind="docker")
    pymachine("create", *options(host), "same1")
    before = snapshot(host)
    started = host.run("systemctl show -p ExecMainStartTimestampMonotonic pymachine-agent.service").stdout
    pymachine("provision", "same1")
    result = steps(pymachine, "same1")["converge"]
    assert (result["agent_sent"], result["changed"], result["installed"]) == (False, [], [])
    assert difference(before, snapshot(host)) == {}
    assert host.run("systemctl show -p ExecMainStartTimestampMonotonic pymachine-agent.service").stdout == started
