"""What is decided about the operator's computer: addresses, name servers, names, settings, rules, progress."""

from __future__ import annotations

from pathlib import Path

import pytest

from machine.drivers.nspawn import cgroup, firewall, layout, network, resolver, rootfs, sysctls
from machine.drivers.nspawn.layout import Layout
from machine.drivers.nspawn.mmdebstrap import Progress
from machine.drivers.nspawn.precheck import _unfit
from machine.errors import DriverError


def test_the_subnet_is_one_that_no_route_touches() -> None:
    assert network.choose_subnet([]) == network.CANDIDATES[0]
    assert network.choose_subnet(["10.209.0.0/16"]) == network.CANDIDATES[1]
    assert network.choose_subnet(["10.0.0.0/8"]) == "192.168.183.0/24"
    assert network.choose_subnet([network.CANDIDATES[0].replace("0/24", "7")]) == network.CANDIDATES[1]


def test_no_free_subnet_says_which_option_to_give() -> None:
    with pytest.raises(DriverError) as caught:
        network.choose_subnet(["10.0.0.0/8", "192.168.0.0/16"])
    assert "--nspawn-subnet" in str(caught.value.hint)


def test_addresses_are_the_lowest_free_ones_and_never_the_bridges() -> None:
    assert network.free_address("10.1.2.0/29", []) == "10.1.2.2"
    assert network.free_address("10.1.2.0/29", ["10.1.2.2", "10.1.2.4"]) == "10.1.2.3"
    with pytest.raises(DriverError, match="no address left"):
        network.free_address("10.1.2.0/29", [f"10.1.2.{n}" for n in range(2, 7)])


def test_an_address_has_one_hardware_address_and_no_other_has_it() -> None:
    assert network.hardware_address("10.209.83.2") == "02:70:0a:d1:53:02"
    assert len({network.hardware_address(f"10.0.{a}.{b}") for a in range(9) for b in range(9)}) == 81


def test_loopback_resolvers_are_replaced_by_what_is_behind_them() -> None:
    stub = "nameserver 127.0.0.53\noptions edns0 trust-ad\nsearch corp.example\n"
    behind = "# real\nnameserver 10.0.0.1\nnameserver fe80::1%2\nnameserver 2001:db8::1\nsearch corp.example\n"
    text = resolver.choose([stub, behind])
    assert text.splitlines() == [resolver.MARK, "nameserver 10.0.0.1", "search corp.example"]


def test_without_a_reachable_resolver_the_file_says_why() -> None:
    assert "no name server" in resolver.choose(["nameserver 127.0.0.1\n", ""])


def test_names_of_this_computer_fit_and_come_from_the_token() -> None:
    assert layout.instance_id("t") == layout.instance_id("t") != layout.instance_id("u")
    assert len(layout.instance_id("t")) <= 15
    for each in (Layout.of({}), Layout.of({layout.ROOT_VARIABLE: "/a"}), Layout.of({layout.ROOT_VARIABLE: "/b"})):
        assert len(each.bridge) <= 15
        assert each.bridge.startswith("pymach")
    assert Layout.of({layout.ROOT_VARIABLE: "/a"}).bridge != Layout.of({layout.ROOT_VARIABLE: "/b"}).bridge
    assert len(layout.machine_id("t")) == 32


@pytest.mark.parametrize(
    ("name", "host"), [("web", "web"), ("web.example", "web.example"), ("a..b", "a.b"), ("a-", "a"), ("a-.-", "a")]
)
def test_every_machine_name_gives_a_host_name(name: str, host: str) -> None:
    assert rootfs.host_name(name) == host


def test_settings_are_changed_only_where_they_do_not_do() -> None:
    assert sysctls.wanted({sysctls.FORWARD: "1", sysctls.INOTIFY: "128"}, 1) == {}
    assert sysctls.wanted({sysctls.FORWARD: "0", sysctls.INOTIFY: "128"}, 8) == {sysctls.FORWARD: "1"}
    assert sysctls.wanted({sysctls.FORWARD: "1", sysctls.INOTIFY: "128"}, 9) == {sysctls.INOTIFY: "8192"}
    assert sysctls.wanted({}, 1) == {}


def test_settings_are_put_back_unless_they_became_somebody_elses() -> None:
    before = {sysctls.FORWARD: "0", sysctls.INOTIFY: "128"}
    ours = {sysctls.FORWARD: "1", sysctls.INOTIFY: "8192"}
    assert sysctls.to_put_back(before, ours, forwarding_needed=False) == before
    assert sysctls.to_put_back(before, ours, forwarding_needed=True) == {sysctls.INOTIFY: "128"}
    assert sysctls.to_put_back(before, ours | {sysctls.INOTIFY: "9000"}, forwarding_needed=True) == {}


def test_exactly_our_rules_are_found_again() -> None:
    listing = (
        "-P FORWARD DROP\n"
        "-A FORWARD -i pymachine0 -m comment --comment pymachine -j ACCEPT\n"
        '-A FORWARD -i br0 -m comment --comment "not pymachine" -j ACCEPT\n'
        "-A FORWARD -i x -m comment --comment pymachine-1a2b3c4d -j ACCEPT\n"
    )
    (rule,) = firewall.marked(listing, "pymachine")
    assert list(rule) == ["FORWARD", "-i", "pymachine0", "-m", "comment", "--comment", "pymachine", "-j", "ACCEPT"]


def test_read_only_hierarchies_are_not_used() -> None:
    mounts = (
        "cgroup /sys/fs/cgroup/memory cgroup rw,relatime,memory 0 0\n"
        "cgroup /sys/fs/cgroup/cpu,cpuacct cgroup rw,relatime,cpu,cpuacct 0 0\n"
        "cgroup /sys/fs/cgroup/pids cgroup ro,relatime,pids 0 0\n"
        "cgroup2 /sys/fs/cgroup/unified cgroup2 rw,relatime 0 0\n"
    )
    found = cgroup.hierarchies(mounts)
    assert [(str(each.path), each.version) for each in found] == [
        ("/sys/fs/cgroup/memory", 1),
        ("/sys/fs/cgroup/cpu,cpuacct", 1),
        ("/sys/fs/cgroup/unified", 2),
    ]
    assert "cpu" in found[1].options


def test_an_overlay_is_refused_where_it_cannot_be_written() -> None:
    assert _unfit(Path("/nowhere/x"), "a / ext4 rw 0 0\n") is None
    assert _unfit(Path("/nowhere/x"), "a / overlay rw 0 0\n") == "overlay"
    assert _unfit(Path("/usr/x"), "a / ext4 rw 0 0\nb /usr nfs4 rw 0 0\n") == "nfs4"
    assert _unfit(Path("/usr/x"), "a / overlay rw 0 0\nb /usr xfs rw 0 0\n") is None
    assert _unfit(Path("/usr/x"), "a / ext4 rw 0 0\nb /us nfs rw 0 0\n") is None


def test_a_build_says_how_far_it_is() -> None:
    progress = Progress()
    said = [
        progress.line(line)
        for line in (
            "I: running apt-get update...",
            "Get:1 http://mirror.example/debian bookworm InRelease [151 kB]",
            "0 upgraded, 120 newly installed, 0 to remove and 0 not upgraded.",
            "Get:45 http://mirror.example/debian bookworm/main amd64 libc6 amd64 2.36 [2759 kB]",
            "Unpacking libc6:amd64 (2.36-9+deb12u14) ...",
            "Setting up libc6:amd64 (2.36-9+deb12u14) ...",
            "Reading package lists...",
        )
    ]
    assert said == [
        "reading the package lists",
        None,
        None,
        "retrieving 45/120 packages (1 of 2)",
        "unpacking libc6:amd64 (1 of 2)",
        "setting up libc6:amd64 (1 of 2)",
        None,
    ]
