"""The same with real machines: SSH, the agent and an engine behind what is killed."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.e2e.command import PYMACHINE, Pymachine
from tests.e2e.test_generic import options
from tests.faults.nursery import Nursery
from tests.faults.sweep import sample
from tests.faults.world import World, listed
from tests.testbed.fixtures import HostFactory
from tests.testbed.host import Host
from tests.testbed.snapshot import difference, snapshot

pytestmark = pytest.mark.e2e

GENERIC_POINTS, REMOVE_POINTS, NSPAWN_POINTS = 12, 5, 6
NSPAWN = "create -y -d nspawn web"


@pytest.fixture
def real(place: Path, nursery: Nursery, needs_root: None) -> World:
    """A world whose hosts are none of a script's."""
    return World(place / "world", nursery, prelude=None)


def learn(world: World, command: str, *prefixes: str) -> list[str]:
    """The points of a command that goes well."""
    child = world.start(command, record=True)
    (ended,) = world.nursery.wait(child)
    assert ended.code == 0, ended
    return [point for point, _ in world.nursery.points(child) if point.startswith(prefixes)]


def kill(world: World, command: str, point: str) -> bool:
    """Kill it there; False where it did not come through: a stream is cut into pieces as the network has it."""
    (ended,) = world.run(command, point=point, action="kill")
    return ended.killed


def let_end(host: Host) -> None:
    """Wait until the host has heard that nobody talks to it any more; it finishes what it had begun."""
    host.run("while pgrep -f '[c]ompile.s,.loader' >/dev/null; do sleep 0.02; done")


def is_running(world: World) -> bool:
    return listed(world.run("ls -o json")[0])["web"]["state"] == "Running"


def test_a_create_killed_in_the_stream_goes_on_or_leaves_the_host_as_it_was(real: World, docker_host: Host) -> None:
    docker_host.run("docker info >/dev/null")
    before = snapshot(docker_host)
    command = f"create {' '.join(options(docker_host))} web"
    points = sample(learn(real, command, "stream."), GENERIC_POINTS)
    real.ok("rm -y web")
    assert difference(before, snapshot(docker_host)) == {}
    killed = 0
    for number, point in enumerate(points):
        if kill(real, command, point):
            killed += 1
            let_end(docker_host)
            assert "create was interrupted" in listed(real.run("ls -o json")[0])["web"]["trouble"], point
            if number % 2 == 0:
                real.ok("create web")
                assert is_running(real), point
        real.ok("rm -y web")
        assert difference(before, snapshot(docker_host)) == {}, point
        assert not docker_host.run("pgrep -f pymachine-agent", check=False).stdout, point
    assert killed >= GENERIC_POINTS // 2


def test_a_remove_killed_in_the_stream_is_finished_by_the_next_one(real: World, docker_host: Host) -> None:
    docker_host.run("docker info >/dev/null")
    before = snapshot(docker_host)
    create = f"create {' '.join(options(docker_host))} web"
    real.ok(create)
    for point in sample(learn(real, "rm -y web", "stream."), REMOVE_POINTS):
        real.ok(create)
        kill(real, "rm -y web", point)
        let_end(docker_host)
        if real.names():
            real.ok("rm -y web")
        assert difference(before, snapshot(docker_host)) == {}, point


def test_two_conversations_with_one_host_end_in_the_later_one(real: World, docker_host: Host) -> None:
    """The first one sleeps in the middle of the stream, with an agent at its other end that waits for it."""
    child = real.start(f"create {' '.join(options(docker_host))} web", point="stream.send #3: before", action="stop")
    real.nursery.wait(child, stopped=True)
    with real.database() as db:
        db.execute("UPDATE operations SET heartbeat = heartbeat - 60")
    (taken,) = real.ok("create web")
    assert f"taken over from process {child.pid}" in taken.out
    real.nursery.resume(child)
    (woken,) = real.nursery.wait(child)
    assert woken.code == 1, woken
    assert "taken over by another process" in woken.err
    assert is_running(real)
    real.ok("rm -y web")


def test_a_create_killed_in_the_driver_or_after_makes_one_machine_or_leaves_none(real: World) -> None:
    points = sample(learn(real, NSPAWN, "recorder.", "driver.nspawn.create", "stream."), NSPAWN_POINTS + 2)[1:-1]
    real.ok("rm -y web")
    for number, point in enumerate(points):
        if kill(real, NSPAWN, point) and number % 2 == 0:
            real.ok("create -y web")
            assert is_running(real), point
        _one_machine_at_most(real)
        real.ok("rm -y web")
        assert real.run("gc --dry-run")[0].out == "Nothing was left behind.\n", point


def _one_machine_at_most(world: World) -> None:
    from machine.drivers.nspawn import NspawnDriver

    (store,) = world.rows("SELECT value FROM meta WHERE key = 'store'")
    assert len(NspawnDriver().find(store["value"])) <= 1


def test_three_machines_made_at_once_in_a_fresh_store_have_one_authority(
    pymachine: Pymachine, needs_root: None
) -> None:
    names = ["one", "two", "three"]
    line = [PYMACHINE, "create", "-y", "-d", "nspawn"]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    running = [subprocess.Popen([*line, name], env=pymachine.environ(), **streams) for name in names]
    for process in running:
        said, _ = process.communicate(timeout=180)
        assert process.returncode == 0, said
    seen = {each["name"]: each for each in json.loads(pymachine("ls", "-o", "json").stdout)}
    assert {name: seen[name]["state"] for name in names} == dict.fromkeys(names, "Running")
    assert len({(pymachine.store / "machines" / name / "ca.pem").read_bytes() for name in names}) == 1
    pymachine("rm", "-y", *names)
    assert pymachine("gc", "--dry-run").stdout == "Nothing was left behind.\n"


def test_a_full_disk_on_the_host_is_said_and_create_goes_on_with_room(
    pymachine: Pymachine, host_factory: HostFactory
) -> None:
    host = host_factory(kind="docker")
    place = "/var/lib/pymachine-agent"
    host.run(f"mkdir -m 755 {place} && mount -t tmpfs -o size=16k tmpfs {place}")
    full = pymachine("create", *options(host), "web", code=1)
    assert "Traceback" not in full.stderr
    assert "No space left on device" in full.stderr or "disk is full" in full.stderr
    assert "to go on: pymachine create web" in full.stderr
    host.run(f"umount {place} && rmdir {place}")
    pymachine("create", "web")
    assert pymachine("status", "web").stdout == "Running\n"
    pymachine("rm", "-y", "web")
