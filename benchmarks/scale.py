"""Fleets larger than any that can be booted here: what deciding costs."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.lab import Lab
from benchmarks.row import Row
from benchmarks.usage import used
from machine.fleet.document import load_fleet
from machine.fleet.model import Fleet
from machine.fleet.specs import specs_of
from machine.model import Access, Endpoint, Instance, State
from machine.store.config import Config
from machine.store.store import Store

_SIMULATION = str(Path(__file__).with_name("simulation.py"))
_SIMULATED = 1000
_PARALLEL = 32  # what a group has where its file says nothing
_GROUPS, _OF_A_GROUP = 10, 1000
_NOT_THERE = 100  # of the planned machines
_SOMETHING_CHANGES = 2  # the exit code of `fleet plan`


def simulated(lab: Lab) -> Iterator[Row]:
    """A thousand machines that take time and now and then fail, through the scheduler of `fleet apply`."""
    given, said = lab.directory / "simulation.json", lab.directory / "simulated.json"
    host = lab.host
    document = {
        "machines": _SIMULATED, "parallel": _PARALLEL, "address": host.address, "key": str(host.identity_file),
        "host_key": host.host_key,
    }  # fmt: skip
    given.write_text(json.dumps(document))
    usage = used([sys.executable, _SIMULATION, str(given)], environ=lab.environ, output=said)
    result = json.loads(said.read_text().splitlines()[-1])
    yield Row(
        case="1,000 simulated machines", samples=[result["seconds"]], unit="s", bar=1.05,
        limit=f"{_PARALLEL} at once, scheduled for nothing", limit_samples=[result["free_of_charge"]],
    )  # fmt: skip
    yield Row(case="  memory", samples=[usage.megabytes], unit="MB", bar=200)


def plan(lab: Lab) -> Iterator[Row]:
    """`fleet plan --recorded` of ten thousand machines, nearly all of which are there; by count, and one by one."""
    counted, listed = fleet_text(_GROUPS, _OF_A_GROUP), listed_text(_GROUPS, _OF_A_GROUP)
    yield _planned(lab, "fleet plan, 10,000 machines", counted)
    yield _planned(lab, "  listed one by one", listed)


def _planned(lab: Lab, case: str, text: str) -> Row:
    file, store = lab.directory / "large.yaml", lab.fresh("large")
    file.write_text(text)
    fleet = load_fleet(str(file))
    fill_store(store, fleet, all_but=_NOT_THERE)
    command = [lab.pymachine, "-s", str(store), "fleet", "plan", "--recorded", str(file)]

    def planned() -> float:
        begun = time.perf_counter()
        done = subprocess.run(command, env=lab.environ, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        seconds = time.perf_counter() - begun
        if (
            done.returncode != _SOMETHING_CHANGES
            or done.stdout.count("\n+ ") + done.stdout.startswith("+ ") != _NOT_THERE
        ):
            raise subprocess.CalledProcessError(done.returncode, command, stderr=done.stderr or done.stdout[-1000:])
        return seconds

    return Row(case=case, samples=[planned() for _ in range(lab.runs)], unit="s", bar=3.0)


def fleet_text(groups: int, machines: int) -> str:
    """A fleet file: so many groups of so many machines, with labels, an override in each, and dependencies."""
    each = {}
    for number in range(groups):
        each[f"group{number}"] = {
            "count": machines,
            "labels": {"tier": f"t{number % 3}"},
            "options": {"memory": f"{number + 1}g"},
            "machines": {"1": {"labels": {"first": "yes"}}},
            **({"depends": [f"group{number - 1}"]} if number else {}),
        }
    document = {"fleet": "large", "defaults": {"driver": "nspawn", "engine": {"label": ["a=b"]}}, "groups": each}
    return json.dumps(document, indent=1)


def listed_text(groups: int, machines: int) -> str:
    """A fleet file that says of each machine which host it is, as people and their scripts write it."""
    lines = ["fleet: listed", "defaults: {driver: generic, options: {ssh-user: root}}", "groups:"]
    for number in range(groups):
        lines += [f"  group{number}:", f"    labels: {{tier: t{number % 3}}}", "    machines:"]
        for machine in range(machines):
            lines += [
                f"      host{number}-{machine:04}:",
                "        options:",
                f"          ip-address: 198.18.{number * 25 + machine // 250}.{machine % 250}",
                "          ssh-port: 22",
                f"        labels: {{rack: r{machine % 40}}}",
            ]
    return "\n".join(lines)


def fill_store(directory: Path, fleet: Fleet, *, all_but: int) -> None:
    """Record the machines of a fleet as made, but for the last ones; by the journal, as an apply does."""
    store = Store(str(directory))
    specs = specs_of(fleet, Config(""), {}).wanted
    with store.database.write() as db:
        pass
    db.execute("PRAGMA synchronous=OFF")  # or it would take minutes
    for number, name in enumerate(list(specs)[:-all_but]):
        address = f"198.18.{number >> 8 & 255}.{number & 255}"
        entry = store.journal.begin_create(specs[name].spec)
        access = Access(host=address, host_keys=("ssh-ed25519 AAAA",))
        store.journal.record_instance(entry, Instance(driver="nspawn", id=name, access=access))
        store.journal.record_converged(entry, port=2376, engine="docker 20.10.24", facts={"os": "Debian 12"})
        store.journal.record_endpoint(entry, Endpoint(url=f"tcp://{address}:2376"))
        store.journal.finish(entry, state=State.RUNNING)
    store.close()
