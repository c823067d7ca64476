"""What the nspawn driver promises, with real machines in a set of their own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from machine.driver import HostIdentity, resolve_options
from machine.drivers.nspawn import NspawnDriver, base, cgroup, layout, network, process
from machine.drivers.nspawn.layout import Layout
from machine.errors import Cancelled, DriverError, InstanceGone, PreCheckFailed
from machine.model import Instance, Spec, State
from machine.testing.recorder import ListRecorder
from tests.testbed.host import Host, bare_base, make_key
from tests.testbed.leftovers import leftovers, settings

pytestmark = [pytest.mark.e2e, pytest.mark.skipif(os.geteuid() != 0, reason="makes real machines: needs root")]


class Bench:
    """A driver with a set of machines of its own, so that tests run beside an operator's machines."""

    def __init__(self, scratch: Path) -> None:
        self.layout = Layout.of()
        self.driver = NspawnDriver()
        self.identity_file = scratch / "id_ed25519"
        self.key = make_key(self.identity_file)

    def request(self, name: str = "m1", *, bare: bool = True, **options: Any) -> dict[str, Any]:
        """A resolved request; ``bare``: over the small base, which boots faster."""
        spec = Spec(name=name, driver="nspawn")
        owner = HostIdentity(store="e2e", authorized_key=self.key)
        request = self.driver.check(spec, resolve_options(self.driver, options, {}), owner)
        return request | ({"base": bare_base()} if bare and "rootfs" not in options else {})

    def create(self, name: str = "m1", *, token: str | None = None, **options: Any) -> Instance:
        """Make a machine."""
        return self.driver.create(self.request(name, **options), token or uuid.uuid4().hex, ListRecorder())

    def run(self, instance: Instance, command: str, *, check: bool = True) -> str:
        """Run a command in a machine over SSH, with the host key pinned that the driver gave."""
        host = Host(name=instance.id, instance=instance, identity_file=self.identity_file, driver=self.driver)
        return host.run(command, check=check).stdout.strip()

    def state(self, instance: Instance) -> State:
        """What the driver says of it."""
        return self.driver.observe([instance])[0].state

    def remove(self, instance: Instance) -> None:
        """Remove a machine."""
        self.driver.remove(instance.id, instance.data, ListRecorder())

    def left(self) -> list[str]:
        """What there is of this set on the computer."""
        return leftovers(self.layout)

    def clear(self) -> None:
        """Remove every machine there is."""
        for found in self.driver.find("e2e"):
            self.driver.remove(found.id, {}, ListRecorder())


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    monkeypatch.setenv(layout.ROOT_VARIABLE, str(tmp_path / "root"))
    made = Bench(tmp_path)
    yield made
    made.clear()
    assert made.left() == []


def test_a_machine_has_a_working_engine_and_lives_through_its_whole_life(bench: Bench) -> None:
    made = bench.create("web.example", bare=False)
    assert bench.run(made, "hostname") == "web.example"
    assert bench.run(made, "until docker info --format '{{.Driver}}' 2>/dev/null; do sleep 0.05; done") == "overlay2"
    assert bench.run(made, "systemctl --failed --no-legend --plain") == ""
    bench.run(made, "tar -C / -c bin/sh | docker import - empty && touch /root/kept")
    assert bench.run(made, "docker images --quiet")

    bench.driver.stop(made, ListRecorder())
    assert bench.state(made) is State.STOPPED
    bench.driver.stop(made, ListRecorder())  # already there is success

    again = bench.driver.start(made, ListRecorder())
    assert again.access == made.access, "same address, same host key"
    assert bench.state(made) is State.RUNNING
    assert bench.run(again, "ls /root/kept") == "/root/kept"
    assert bench.driver.start(made, ListRecorder()) == again

    restarted = bench.driver.restart(made, ListRecorder())
    assert bench.run(restarted, "ls /root/kept") == "/root/kept"

    bench.driver.kill(made, ListRecorder())
    assert bench.state(made) is State.STOPPED
    bench.driver.kill(made, ListRecorder())
    bench.remove(made)
    assert bench.state(made) is State.GONE
    assert bench.left() == []
    bench.remove(made)
    assert bench.left() == []


def test_the_same_token_makes_one_machine(bench: Bench) -> None:
    first = bench.create("m1", token="t")
    boot = bench.run(first, "cat /proc/sys/kernel/random/boot_id; systemctl show --property UserspaceTimestamp")
    second = bench.create("m1", token="t")
    assert second == first
    assert (
        bench.run(second, "cat /proc/sys/kernel/random/boot_id; systemctl show --property UserspaceTimestamp") == boot
    )
    assert [found.token for found in bench.driver.find("e2e")] == ["t"]
    assert bench.driver.find("another store") == []


def test_the_first_resource_is_recorded_before_anything_is_made(bench: Bench) -> None:
    class Stop(Exception):
        pass

    class Refusing(ListRecorder):
        def resource(self, kind: str, id: str, **data: Any) -> None:
            assert bench.left() == []
            raise Stop

    with pytest.raises(Stop):
        bench.driver.create(bench.request(), "t", Refusing())
    assert bench.left() == []


def test_machines_reach_each_other_also_where_the_policy_is_to_drop(bench: Bench) -> None:
    one, two = bench.create("one"), bench.create("two")
    assert one.address != two.address
    policy = "ACCEPT" if "-P FORWARD ACCEPT" in _output("iptables", "-S", "FORWARD") else "DROP"
    try:
        subprocess.run(["iptables", "-P", "FORWARD", "DROP"], check=True)  # as a Docker on this computer does
        bench.run(one, f"timeout 5 bash -c '</dev/tcp/{two.address}/22'")
        bench.run(one, "getent hosts localhost")
    finally:
        subprocess.run(["iptables", "-P", "FORWARD", policy], check=True)
    bench.remove(one)
    assert bench.run(two, "hostname") == "two", "the network stays as long as a machine does"


def test_machines_are_made_and_removed_at_the_same_time(bench: Bench) -> None:
    def live(number: int) -> str:
        made = bench.create(f"m{number}")
        assert bench.run(made, "hostname") == f"m{number}"
        bench.remove(made)
        return made.id

    with ThreadPoolExecutor(4) as pool:
        assert len(set(pool.map(live, range(6)))) == 6
    assert bench.left() == []


def test_a_machine_with_running_containers_is_stopped_and_removed_whole(bench: Bench) -> None:
    made = bench.create(bare=False)
    shell = "tar -C / -ch bin/sh $(ldd /bin/sh | grep -o '/[^ ]*' | cut -c2-) | docker import - sh"
    bench.run(made, f"until docker info >/dev/null 2>&1; do sleep 0.05; done; {shell}")
    forever = "while :; do read -r line </proc/uptime; done"
    bench.run(made, f"docker run -d --restart always --cpus 0.1 --memory 32m sh /bin/sh -c '{forever}'")
    bench.driver.kill(made, ListRecorder())
    bench.driver.start(made, ListRecorder())
    bench.run(made, 'until [ -n "$(docker ps -q)" ]; do sleep 0.05; done 2>/dev/null')
    bench.remove(made)
    assert bench.left() == []


def test_a_machine_is_not_of_the_session_that_made_it(bench: Bench) -> None:
    made = bench.create()
    leader = process.find(bench.layout.place(made.id))
    assert leader is not None
    assert os.getsid(leader.pid) == leader.pid
    groups = Path(f"/proc/{leader.pid}/cgroup").read_text().split()
    assert {line.split(":", 2)[2] for line in groups} == {f"/{bench.layout.label}/{made.id}/launcher"}
    open_files = {os.readlink(path) for path in Path(f"/proc/{leader.pid}/fd").iterdir()}
    console = str(bench.layout.place(made.id).console)
    assert {name for name in open_files if not name.endswith("/dev/null")} == {console}


def test_a_bridge_that_others_hang_on_stays(bench: Bench) -> None:
    made = bench.create()
    subprocess.run(["ip", "link", "add", "pmtest9", "type", "veth", "peer", "name", "pmtest8"], check=True)
    try:
        subprocess.run(["ip", "link", "set", "pmtest9", "master", bench.layout.bridge], check=True)
        bench.remove(made)
        assert network.exists(bench.layout.bridge)
    finally:
        subprocess.run(["ip", "link", "delete", "pmtest9"], check=True)
    bench.remove(made)
    assert bench.left() == []


def test_settings_of_the_computer_are_put_back_with_the_last_machine(bench: Bench) -> None:
    if Path("/run/pymachine/sysctls.json").exists():
        pytest.skip("somebody has machines on this computer")
    before = settings()
    first, second = bench.create("m1"), bench.create("m2")
    assert settings()["net.ipv4.ip_forward"] == "1"
    bench.remove(first)
    assert settings()["net.ipv4.ip_forward"] == "1"
    bench.remove(second)
    assert settings() == before


def test_a_killed_build_leaves_no_process_and_a_directory_that_the_next_build_removes(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(layout.CACHE_VARIABLE, str(tmp_path / "cache"))
    building = _creator(bench, "t")
    _until(lambda: any((tmp_path / "cache").glob("building-*/etc/apt")))
    building.kill()
    building.communicate()
    _until(lambda: str(tmp_path / "cache") not in _output("ps", "-eo", "args"))
    stale = next((tmp_path / "cache").glob("building-*"))
    assert [path.name for path in (tmp_path / "cache").iterdir() if path.name != "locks"] == [stale.name]
    (stale / "stale").touch()
    cached = tmp_path / "cache" / stale.name.removeprefix("building-")

    class Stop(Exception):
        pass

    def stop() -> None:
        assert not (stale / "stale").exists()
        raise Stop

    with pytest.raises(Stop):
        base.ensure(Layout.of(), bare_base(), ListRecorder(on_check=stop))
    assert not cached.exists()
    assert not stale.exists()


def test_rules_of_others_stay_as_they_are(bench: Bench) -> None:
    rule = ["FORWARD", "-i", "pmtest9", "-m", "comment", "--comment", "not ours", "-j", "DROP"]
    subprocess.run(["iptables", "-A", *rule], check=True)
    try:
        before = _output("iptables", "-S"), _output("iptables", "-t", "nat", "-S")
        bench.remove(bench.create())
        assert (_output("iptables", "-S"), _output("iptables", "-t", "nat", "-S")) == before
    finally:
        subprocess.run(["iptables", "-D", *rule], check=True)


def test_after_a_reboot_of_the_computer_a_machine_is_stopped_and_starts(bench: Bench) -> None:
    made = bench.create()
    bench.run(made, "touch /root/kept && sync")
    cgroup.end(bench.layout.label, made.id)
    subprocess.run(["ip", "link", "delete", bench.layout.bridge], check=True)
    for table in ("filter", "nat"):
        for line in _output("iptables", "-t", table, "-S").splitlines():
            if bench.layout.label in line:
                subprocess.run(["iptables", "-t", table, "-D", *line.split()[1:]], check=True)
    shutil.rmtree(bench.layout.run)
    assert bench.state(made) is State.STOPPED
    again = bench.driver.start(made, ListRecorder())
    assert again == made
    assert bench.run(again, "ls /root/kept") == "/root/kept"


def test_a_recycled_process_id_is_not_taken_for_a_machine(bench: Bench) -> None:
    made = bench.create()
    leader = bench.layout.place(made.id).leader
    text = leader.read_text()
    bench.driver.kill(made, ListRecorder())
    pid = text.split('"pid": ')[1].split(",")[0]
    leader.write_text(text.replace(f'"pid": {pid}', f'"pid": {os.getpid()}'))
    assert bench.state(made) is State.STOPPED


def test_a_machine_that_shuts_itself_down_is_stopped_and_one_that_reboots_is_not(bench: Bench) -> None:
    made = bench.create()
    before = bench.run(made, "cat /proc/1/stat")
    bench.run(made, "systemctl reboot", check=False)
    bench.driver.start(made, ListRecorder())
    _until(lambda: bench.run(made, "cat /proc/1/stat", check=False) not in ("", before))
    assert bench.state(made) is State.RUNNING
    bench.run(made, "systemctl poweroff", check=False)
    _until(lambda: bench.state(made) is State.STOPPED)
    bench.driver.start(made, ListRecorder())
    assert bench.run(made, "hostname") == "m1"


def test_a_machine_sees_nothing_of_the_operator(bench: Bench) -> None:
    secret = f"canary-{uuid.uuid4().hex}"
    planted = [Path(place, secret) for place in ("/root", "/home", "/etc", "/srv", "/tmp")]
    for path in planted:
        path.write_text(secret)
    try:
        made = bench.create(bare=False)
        assert (
            bench.run(made, f"find / -xdev -name '{secret}' 2>/dev/null; ls /tmp /home | grep canary", check=False)
            == ""
        )
        assert bench.run(made, "ls -A /home") == ""
        assert bench.run(made, "cat /proc/1/environ | tr '\\0' '\\n'").find("PYMACHINE") == -1
        assert bench.run(made, "cat /etc/machine-id") != Path("/etc/machine-id").read_text().strip()
        assert "root" in bench.run(made, "cat /proc/self/mountinfo | cut -d' ' -f5 | tr / '\\n' | sort -u; id -un")
    finally:
        for path in planted:
            path.unlink()


def test_limits_hold_and_the_machine_cannot_lift_them(bench: Bench) -> None:
    made = bench.create(memory="256m", cpus="1.5")
    top = {each: each.path / bench.layout.label / made.id for each in cgroup.mounted()}
    found = {}
    for each, group in top.items():
        for name in ("memory.limit_in_bytes", "memory.max", "cpu.cfs_quota_us", "cpu.max"):
            if (group / name).exists():
                found[name] = (group / name).read_text().strip()
                assert each.path
    assert found.get("memory.limit_in_bytes", found.get("memory.max")) == str(256 << 20)
    assert found.get("cpu.cfs_quota_us", found.get("cpu.max", "").split()[:1]) in ("150000", ["150000"])
    lift = "echo -1 > /sys/fs/cgroup/memory/memory.limit_in_bytes || echo max > /sys/fs/cgroup/memory.max"
    bench.run(made, lift, check=False)
    eaten = bench.run(made, "head -c 400m /dev/zero | tail >/dev/null; echo $?", check=False)
    assert eaten not in ("", "0"), "400 MB do not fit into 256"
    assert bench.run(made, "hostname") == "m1"


def test_two_processes_with_one_token_make_one_machine(bench: Bench) -> None:
    creating = [_creator(bench, "t") for _ in range(2)]
    assert all(each.communicate()[0] and each.returncode == 0 for each in creating)
    assert len(bench.driver.find("e2e")) == 1
    (found,) = bench.driver.find("e2e")
    assert len([line for line in bench.left() if "systemd-nspawn" in line and "supervisor" in line]) == 1
    bench.driver.remove(found.id, {}, ListRecorder())
    assert bench.left() == []


@pytest.mark.parametrize("then", ["remove", "create"])
def test_a_create_killed_at_any_point_leaves_nothing_unknown(bench: Bench, then: str) -> None:
    """Everything the driver does to the computer is a point; the process dies there by SIGKILL."""
    died = 0
    points = _points(bench, "create", sample=12 if then == "remove" else 6)
    for number in points:
        token = f"t{number}"
        died += _die(bench, token, number, "create")
        if then == "create":
            made = bench.create(token=token)
            assert bench.run(made, "true") == ""
            bench.remove(made)
        else:
            bench.driver.remove(layout.instance_id(token), {}, ListRecorder())
        assert bench.left() == [], f"killed at point {number}"
    assert died > len(points) * 0.8, "only the very last points may come after the end"


def test_a_remove_killed_at_any_point_can_be_repeated(bench: Bench) -> None:
    died = 0
    points = _points(bench, "remove", sample=6)
    for number in points:
        made = bench.create(token=f"t{number}")
        died += _die(bench, made.id, number, "remove")
        bench.remove(made)
        assert bench.left() == [], f"killed at point {number}"
    assert died > len(points) * 0.8, "only the very last points may come after the end"


def test_a_cancelled_create_can_be_removed(bench: Bench) -> None:
    def stop() -> None:
        raise Cancelled("stopped by the test")

    with pytest.raises(Cancelled):
        bench.driver.create(bench.request(), "t", ListRecorder(on_check=stop))
    bench.driver.remove(layout.instance_id("t"), {}, ListRecorder())
    assert bench.left() == []


def test_a_directory_is_used_as_it_is_and_not_written_to(bench: Bench, tmp_path: Path) -> None:
    rootfs = tmp_path / "rootfs"
    subprocess.run(["cp", "-a", str(_cached_bare(bench)), str(rootfs)], check=True)
    (rootfs / "etc/systemd/system/multi-user.target.wants/ssh.service").unlink()
    (rootfs / "etc/hostname").write_text("theirs\n")
    # Links that lead out of the root for anybody who follows them from outside.
    victim = tmp_path / "victim"
    victim.write_text("untouched")
    (rootfs / "etc/resolv.conf").symlink_to(victim)
    before = _listing(rootfs)
    made = bench.create("mine", rootfs=str(rootfs))
    assert bench.run(made, "hostname; grep -c nameserver /etc/resolv.conf").splitlines() == ["mine", "1"]
    bench.remove(made)
    assert _listing(rootfs) == before
    assert victim.read_text() == "untouched"


def test_a_tarball_is_unpacked_once(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tarball = tmp_path / "rootfs.tar"
    subprocess.run(["tar", "-C", str(_cached_bare(bench)), "-cf", str(tarball), "."], check=True)
    monkeypatch.setenv(layout.CACHE_VARIABLE, str(tmp_path / "cache"))
    other = Bench.__new__(Bench)
    other.__dict__ |= bench.__dict__ | {"driver": NspawnDriver(), "layout": Layout.of()}
    first = ListRecorder()
    made = other.driver.create(other.request("m1", rootfs=str(tarball)), "t", first)
    assert any("unpacking" in line for line in first.lines)
    assert other.run(made, "hostname") == "m1"
    second = ListRecorder()
    other.remove(other.driver.create(other.request("m2", rootfs=str(tarball)), "t2", second))
    assert not any("unpacking" in line for line in second.lines)


def test_a_rootfs_that_cannot_be_a_machine_is_refused_before_anything_is_made(bench: Bench, tmp_path: Path) -> None:
    for path, reason in ((tmp_path / "none", "does not exist"), (tmp_path, "systemd"), (Path("/"), "operator's own")):
        with pytest.raises(PreCheckFailed) as caught:
            bench.request(rootfs=str(path))
        assert reason in f"{caught.value.message} {caught.value.cause}"
        assert caught.value.hint
    assert bench.left() == []


def test_a_subnet_in_use_is_refused_before_anything_is_made(bench: Bench) -> None:
    route = _output("ip", "-4", "-brief", "address", "show", "dev", "lo").split()[2]
    assert route == "127.0.0.1/8"
    used = next(line.split()[0] for line in _output("ip", "-4", "route").splitlines() if "/" in line.split()[0])
    with pytest.raises(PreCheckFailed):
        bench.driver.check(
            Spec(name="m", driver="nspawn"),
            type(resolve_options(bench.driver, {}, {}))(subnet=used),
            HostIdentity(store="e2e", authorized_key=bench.key),
        )


def test_a_boot_that_fails_shows_the_end_of_the_console(bench: Bench, tmp_path: Path) -> None:
    rootfs = tmp_path / "rootfs"
    subprocess.run(["cp", "-a", str(_cached_bare(bench)), str(rootfs)], check=True)
    (rootfs / "usr/lib/systemd/systemd").unlink()
    (rootfs / "usr/lib/systemd/systemd").write_text("#!/bin/sh\necho the very reason\nexit 3\n")
    (rootfs / "usr/lib/systemd/systemd").chmod(0o755)
    with pytest.raises(DriverError) as caught:
        bench.create(rootfs=str(rootfs))
    assert "the very reason" in str(caught.value.cause)


def test_a_machine_that_is_gone_says_so(bench: Bench) -> None:
    made = bench.create()
    bench.remove(made)
    assert bench.state(made) is State.GONE
    for change in (bench.driver.start, bench.driver.stop, bench.driver.restart, bench.driver.kill):
        with pytest.raises(InstanceGone):
            change(made, ListRecorder())
    assert bench.left() == []


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def _until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "did not come true"
        time.sleep(0.02)


def _cached_bare(bench: Bench) -> Path:
    return base.ensure(bench.layout, bare_base(), ListRecorder())


def _listing(top: Path) -> list[tuple[str, int, int, float]]:
    return [
        (str(path), path.lstat().st_mode, path.lstat().st_size, path.lstat().st_mtime)
        for path in sorted(top.rglob("*"))
    ]


_CHILD = textwrap.dedent(
    """
    import json, os, signal, sys
    from machine.drivers.nspawn import NspawnDriver
    from machine.testing.recorder import ListRecorder

    verb, token, die_at, request = sys.argv[1], sys.argv[2], int(sys.argv[3]), json.loads(sys.argv[4])
    points = 0

    def hook(event, arguments):
        # What the interpreter announces before it changes anything outside itself.
        global points
        if event in ("subprocess.Popen", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.chmod", "os.kill",
                     "os.symlink") or (event == "open" and arguments[1] and "w" in str(arguments[1])):
            points += 1
            if points == die_at:
                os.kill(os.getpid(), signal.SIGKILL)

    driver = NspawnDriver()
    sys.addaudithook(hook)
    if verb == "create":
        driver.create(request, token, ListRecorder())
    else:
        driver.remove(token, {}, ListRecorder())
    print(points)
    """
)


def _points(bench: Bench, verb: str, *, sample: int) -> list[int]:
    """Some of the points at which such a process can die, evenly; all of them with ``KILL_POINTS=all``."""
    made = bench.create(token="t0") if verb == "remove" else None
    living = _creator(bench, made.id if made else "t0", verb=verb)
    total = int(living.communicate()[0])
    bench.driver.remove(layout.instance_id("t0"), {}, ListRecorder())
    assert total > 20
    step = 1 if os.environ.get("KILL_POINTS") == "all" else total / sample
    return [round(1 + number * step) for number in range(int(total / step))]


def _die(bench: Bench, token: str, point: int, verb: str) -> bool:
    """Whether the process died at the point; it may come to its end before the last ones, their number varies."""
    dying = _creator(bench, token, die_at=point, verb=verb)
    dying.communicate()
    assert dying.returncode in (0, -signal.SIGKILL)
    return dying.returncode != 0


def _creator(bench: Bench, token: str, *, die_at: int = 0, verb: str = "create") -> subprocess.Popen[bytes]:
    script = [sys.executable, "-c", _CHILD, verb, token, str(die_at), json.dumps(bench.request())]
    return subprocess.Popen(script, cwd=Path(__file__).parents[2], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
