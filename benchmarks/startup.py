"""What shells and prompts ask, beside the start of the interpreter itself."""

from __future__ import annotations

import functools
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.lab import Lab
from benchmarks.row import Row
from benchmarks.timing import interleaved, timed

_TURNS_PER_RUN = 12  # each takes some 10 ms
_FEW = 5
_MACHINES = 10_000
_COMPLETION = "completion of machine names"
_URL = "tcp://192.0.2.1:2376"
_READ_AND_FORMAT = str(Path(__file__).with_name("read_and_format.py"))


def commands(lab: Lab) -> Iterator[Row]:
    """`env`, `ip`, `url`, `active`, `ls -q`, what `use` asks and what a TAB asks, by the installed script."""
    environ = {**lab.environ, "PYMACHINE_HOME": str(_store(lab, _FEW)), "DOCKER_HOST": _URL, "SHELL": "/bin/bash"}
    asked = {
        "env": ["env", "m1"],
        "ip": ["ip", "m1"],
        "url": ["url", "m1"],
        "active": ["active"],
        "ls -q": ["ls", "-q"],
        "use NAME": ["env", "--shell", "bash", "m1"],  # what the shell's function runs, before it evaluates the answer
        _COMPLETION: [],
    }
    # As the function that click's completion script defines calls it, for `pymachine env m<TAB>`.
    tab = {"_PYMACHINE_COMPLETE": "bash_complete", "COMP_WORDS": "pymachine env m", "COMP_CWORD": "2"}
    said = subprocess.run([lab.pymachine], env={**environ, **tab}, capture_output=True, text=True, check=True).stdout
    if said.split() != [f"plain,m{number}" for number in range(1, _FEW + 1)]:
        raise AssertionError(f"these are no names of machines: {said}")
    run = functools.partial(timed, environ=environ, scale=1000)
    cases = {name: functools.partial(run, [lab.pymachine, *arguments]) for name, arguments in asked.items()}
    cases[_COMPLETION] = functools.partial(run, [lab.pymachine], environ={**environ, **tab})
    cases["python"] = functools.partial(run, [sys.executable, "-c", "pass"])
    samples = interleaved(lab.runs * _TURNS_PER_RUN, cases)
    for name in asked:
        yield Row(
            case=name, samples=samples[name], unit="ms", bar=2.5, limit="python -c pass",
            limit_samples=samples["python"],
        )  # fmt: skip


def recorded(lab: Lab) -> Iterator[Row]:
    """`ls --recorded` of ten thousand machines."""
    store = _store(lab, _MACHINES)
    environ = {**lab.environ, "PYMACHINE_HOME": str(store), "SHELL": "/bin/bash"}
    script = [sys.executable, _READ_AND_FORMAT, str(store / lab.database.name)]

    def read_and_format() -> float:
        said = subprocess.run(script, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=True).stderr
        return float(said) * 1000

    samples = interleaved(
        lab.runs * 4,
        {
            "env": functools.partial(timed, [lab.pymachine, "env", "m1"], environ=environ, scale=1000),
            "script": read_and_format,
            "ours": lambda: timed([lab.pymachine, "ls", "--recorded"], environ=environ, scale=1000),
        },
    )
    limit = [env + 2 * script for env, script in zip(samples["env"], samples["script"], strict=True)]
    yield Row(
        case="ls --recorded, 10,000 machines", samples=samples["ours"], unit="ms", bar=1.0,
        limit="env + 2 × sqlite3, read and format", limit_samples=limit,
    )  # fmt: skip


def _store(lab: Lab, machines: int) -> Path:
    """A store with so many machines, m1 the first."""
    store = lab.fresh("machines")
    lab.run("-s", str(store), "create", "-d", "none", "--url", _URL, "m1")
    db = sqlite3.connect(store / lab.database.name)
    with db:
        db.executemany(
            "INSERT INTO machines (name, name_key, driver, state, state_at, address, url, engine, spec, created_at)"
            " SELECT ?1, ?1, 'generic', 'Running', ?2, ?3, 'tcp://' || ?3 || ':2376', 'docker 20.10.24', spec, ?2"
            " FROM machines WHERE name = 'm1'",
            [
                (f"m{number}", time.time() - number, f"198.18.{number >> 8 & 255}.{number & 255}")
                for number in range(2, machines + 1)
            ],
        )
    db.close()
    return store
