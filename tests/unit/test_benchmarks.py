"""The table of `make bench` says what is over its bar, and what it is measured with measures."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.fleet import ansible_inventory, fleet_file, payload, pyinfra_inventory
from benchmarks.hosts import Hosts
from benchmarks.row import HEADERS, Row, line
from benchmarks.scale import fill_store, fleet_text, listed_text
from benchmarks.simulation import FAILS, MEDIAN_SECONDS, drawn, free_of_charge, least
from benchmarks.usage import used
from machine.driver import load_driver
from machine.fleet.document import load_fleet
from machine.fleet.survey import survey
from machine.model import Access, Instance
from machine.store.config import Config
from machine.store.store import Store
from tests.testbed.host import Host


@pytest.mark.parametrize(
    ("row", "value", "ok"),
    [
        (Row(case="x", samples=[1, 9, 2], limit_samples=[1, 1, 7], unit="s", bar=2.0), 2.0, True),
        (Row(case="x", samples=[2.1], limit_samples=[1], unit="s", bar=2.0), 2.1, False),
        (Row(case="x", samples=[90], limit_samples=[100], unit="MB/s", bar=0.8, at_least=True), 0.9, True),
        (Row(case="x", samples=[70], limit_samples=[100], unit="MB/s", bar=0.8, at_least=True), 0.7, False),
        (Row(case="x", samples=[14], limit_samples=[12], unit="ms", bar=2.0, difference=True), 2, True),
        (Row(case="x", samples=[15], limit_samples=[12], unit="ms", bar=2.0, difference=True), 3, False),
        (Row(case="x", samples=[1], unit="", bar=1), 1, True),
        (Row(case="x", samples=[1], unit="", bar=0), 1, False),
        (Row(case="x", samples=[1.06], limit_samples=[1], unit="s", bar=1.05), 1.06, False),
    ],
)
def test_a_row_compares_the_medians_with_its_bar(row: Row, value: float, ok: bool) -> None:
    assert (row.value, row.ok) == (value, ok)
    assert row.cells()[-1] == ("ok" if ok else "OVER")
    assert row.as_json()["ok"] is ok


def test_every_line_has_the_columns_of_the_headers() -> None:
    cells = Row(case="docker ps", samples=[14], limit="dockerd", limit_samples=[12], unit="ms", bar=2.0).cells()
    assert line(HEADERS).index("limit") == line(cells).index("dockerd")


def test_a_bar_is_shown_as_it_is() -> None:
    for bar, shown in ((1.0, "≤ 1.0"), (0.1, "≤ 0.1"), (1.05, "≤ 1.05")):
        assert Row(case="x", samples=[1], limit_samples=[1], unit="s", bar=bar).cells()[5] == shown


def test_what_a_command_uses_is_that_of_its_children_too(tmp_path: Path) -> None:
    busy = "import time; b = bytearray(60_000_000); e = time.process_time() + 0.3\nwhile time.process_time() < e: pass"
    command = [sys.executable, "-c", f"import subprocess, sys; subprocess.run([sys.executable, '-c', {busy!r}])"]
    usage = used(command, environ=os.environ)
    assert 0.3 <= usage.cpu < 2
    assert usage.seconds >= 0.3
    assert 60 < usage.megabytes < 150
    assert used(command, environ=os.environ, memory=False).megabytes == 0
    used(["echo", "said"], environ=os.environ, output=tmp_path / "out")
    assert (tmp_path / "out").read_text() == "said\n"


def test_a_command_that_fails_says_why() -> None:
    with pytest.raises(subprocess.CalledProcessError) as raised:
        used(["sh", "-c", "echo so >&2; exit 3"], environ=os.environ)
    assert (raised.value.returncode, raised.value.stderr) == (3, "so\n")


def test_a_schedule_free_of_charge_begins_the_next_when_one_ends() -> None:
    assert free_of_charge([([3, 1, 1, 1], 2)]) == 3
    assert free_of_charge([([1, 1, 1, 3], 2)]) == 4  # it does not know that the last takes long
    assert free_of_charge([([2, 2], 2), ([1], 2)]) == 3  # the second group waits for the first
    assert least([([1, 1, 1, 3], 2)]) == 3
    assert least([([2, 2], 2), ([1], 2)]) == 3


def test_simulated_machines_are_the_same_each_time_and_as_they_are_said_to_be() -> None:
    tasks = drawn(1000)
    assert tasks == drawn(1000)
    seconds = sorted(task.seconds for task in tasks)
    assert abs(seconds[500] / MEDIAN_SECONDS - 1) < 0.1
    assert 0.5 < sum(task.fails for task in tasks) / (1000 * FAILS) < 2
    assert sum(task.connects for task in tasks) == 50


@pytest.fixture
def hosts(tmp_path: Path) -> Hosts:
    """As the benchmark has them, and not booted."""
    line = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJxN0NxRLzrDm8AL0t9pVkFyRLXHWLzPzoLdlZGIqjpR"
    key, driver = tmp_path / "key", load_driver("nspawn")
    made = [
        Host(
            name=f"bench-{number}",
            instance=Instance(
                driver="nspawn", id=f"pm-{number}", access=Access(host=f"192.0.2.{number}", host_keys=(line,))
            ),
            identity_file=key,
            driver=driver,  # type: ignore[arg-type]
        )
        for number in (1, 2)
    ]
    return Hosts(all=made, key=key, known_hosts=tmp_path / "known_hosts")


def test_every_contestant_is_told_of_every_host(hosts: Hosts, tmp_path: Path) -> None:
    addresses = {"192.0.2.1", "192.0.2.2"}
    (tmp_path / "fleet.yaml").write_text(fleet_file(hosts))
    fleet = load_fleet(str(tmp_path / "fleet.yaml"))
    assert {machine.options["ip_address"] for machine in fleet.machines()} == addresses
    assert all(machine.options["host_key"].startswith("SHA256:") for machine in fleet.machines())
    inventory: dict[str, list[tuple[str, dict[str, str]]]] = {}
    exec(pyinfra_inventory(hosts, {"port": "1"}), inventory)
    assert {address for address, _ in inventory["hosts"]} == addresses
    assert inventory["hosts"][0][1]["port"] == "1"
    assert set(json.loads(ansible_inventory(hosts, {}))["all"]["hosts"]) == addresses


def test_the_peers_file_is_of_the_size_that_is_said_and_runs() -> None:
    text = payload()
    assert len(text) == 200_000
    compile(text, "server.py", "exec")


@pytest.mark.parametrize(
    ("text", "missing"),
    [(fleet_text(3, 4), ["group2-3", "group2-4"]), (listed_text(3, 4), ["host2-0002", "host2-0003"])],
)
def test_the_large_fleet_is_there_but_for_what_is_not_recorded(tmp_path: Path, text: str, missing: list[str]) -> None:
    file = tmp_path / "fleet.yaml"
    file.write_text(text)
    fleet = load_fleet(str(file))
    fill_store(tmp_path / "store", fleet, all_but=2)
    store = Store(str(tmp_path / "store"))
    plan = survey(store, fleet, Config(""), environ={}, look=False).plan
    store.close()
    assert [change.machine for change in plan.pending] == missing
