"""`create` and `provision`, beside what the operator could do by hand."""

from __future__ import annotations

import json
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

from benchmarks.lab import MACHINE, Lab
from benchmarks.row import Row
from benchmarks.timing import interleaved, timed
from tests.testbed.host import Host
from tests.testbed.snapshot import Entry, difference, snapshot

_BARE = str(Path(__file__).with_name("bare.sh"))
_LOCAL = "bench-local"


def nspawn(lab: Lab) -> Iterator[Row]:
    """`create -d nspawn` with the base in the cache, to a verified endpoint."""
    host = lab.host  # makes the base, if it is not there

    def bare() -> float:
        directory = lab.fresh("bare")
        directory.mkdir()
        lab.at_the_end(_BARE, "down", str(directory))  # also when it is interrupted below
        try:
            return timed([_BARE, "up", str(host.base), str(directory), str(host.identity_file)], environ=lab.environ)
        finally:
            subprocess.run([_BARE, "down", str(directory)], capture_output=True, check=False)

    def ours() -> float:
        try:
            return timed([lab.pymachine, "create", "-y", "-d", "nspawn", _LOCAL], environ=lab.environ)
        finally:
            subprocess.run([lab.pymachine, "rm", "-f", "-y", _LOCAL], env=lab.environ, capture_output=True, check=False)

    lab.at_the_end(lab.pymachine, "rm", "-f", "-y", _LOCAL)
    lab.without_machine()
    samples = interleaved(lab.runs, {"bare": bare, "ours": ours, "generic": lambda: _create_and_remove(lab)})
    limit = [1.3 * boot + generic for boot, generic in zip(samples["bare"], samples["generic"], strict=True)]
    yield Row(
        case="create -d nspawn", samples=samples["ours"], unit="s", bar=1.0,
        limit="1.3 × bare boot + create -d generic", limit_samples=limit,
    )  # fmt: skip


def generic(lab: Lab) -> Iterator[Row]:
    """`create -d generic` on a booted host with an engine."""
    host = lab.host
    lab.without_machine()
    samples = interleaved(lab.runs, {"ssh": lambda: timed(host.ssh("true")), "ours": lambda: _create_and_remove(lab)})
    yield Row(
        case="create -d generic", samples=samples["ours"], unit="s", bar=4.0,
        limit="ssh host true", limit_samples=samples["ssh"],
    )  # fmt: skip
    _connections(host)
    before = _connections(host)
    lab.with_machine()
    yield Row(case="  its SSH connections", samples=[_connections(host) - before - 1], unit="", bar=1)
    lab.without_machine()


def provision(lab: Lab) -> Iterator[Row]:
    """`provision` of a machine on which there is nothing to do."""
    host = lab.host
    lab.with_machine()
    lab.run("provision", MACHINE)
    before, running = snapshot(host), _service(host)
    samples = interleaved(
        lab.runs,
        {
            "ssh": lambda: timed(host.ssh("true")),
            "ours": lambda: timed([lab.pymachine, "provision", MACHINE], environ=lab.environ),
        },
    )
    yield Row(
        case="second provision", samples=samples["ours"], unit="s", bar=2.5,
        limit="ssh host true", limit_samples=samples["ssh"],
    )  # fmt: skip
    changed: dict[str, tuple[Entry | str | None, Entry | str | None]] = difference(before, snapshot(host))
    results = _results(lab)
    yield Row(case="  agents it sent", samples=[sum(bool(each["agent_sent"]) for each in results)], unit="", bar=0)
    said = sum(len(each["changed"]) for each in results)
    restarted = int(_service(host) != running)
    yield Row(case="  changes on the host", samples=[len(changed) + said + restarted], unit="", bar=0)


def _create_and_remove(lab: Lab) -> float:
    """One `create -d generic`, timed, on a host that is as it was before the last."""
    try:
        return timed(lab.create_generic(), environ=lab.environ)
    finally:
        subprocess.run([lab.pymachine, "rm", "-f", "-y", MACHINE], env=lab.environ, capture_output=True, check=False)


def _connections(host: Host) -> int:
    """How many connections the host's SSH server has seen, this one included; it logs each from the first time on."""
    setting = "/etc/ssh/sshd_config.d/bench.conf"
    logging = f"[ -e {setting} ] || {{ echo LogLevel VERBOSE >{setting}; systemctl reload ssh; }}"
    return int(
        host.run(f"{logging}; journalctl --sync; journalctl -u ssh -o cat | grep -c '^Connection from' || :").stdout
    )


def _service(host: Host) -> str:
    return host.run("systemctl show -p MainPID,ActiveEnterTimestampMonotonic pymachine-agent.service").stdout


def _results(lab: Lab) -> list[dict[str, list[str]]]:
    """What the hosts said to the provisions that were timed, as the store keeps it."""
    db = sqlite3.connect(lab.database)
    try:
        rows = db.execute(
            "SELECT result FROM steps JOIN operations ON operations.id = operation_id"
            " WHERE kind = 'provision' AND name = 'converge' ORDER BY operations.id DESC LIMIT ?", (lab.runs,),
        ).fetchall()  # fmt: skip
    finally:
        db.close()
    return [json.loads(row[0]) for row in rows]
