"""``python -m benchmarks``: run the cases, print the table; exit code 1 when something is over its bar."""

from __future__ import annotations

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

from benchmarks import agent, creation, endpoint, fleet, scale, startup
from benchmarks.lab import Lab, NotNormal
from benchmarks.row import HEADERS, Row, line

CASES: dict[str, Callable[[Lab], Iterator[Row]]] = {
    "nspawn": creation.nspawn,
    "generic": creation.generic,
    "provision": creation.provision,
    "commands": startup.commands,
    "recorded": startup.recorded,
    "ps": endpoint.quiet,
    "ps-loaded": endpoint.loaded,
    "down": endpoint.down,
    "into-run": endpoint.into_run,
    "up": endpoint.up,
    "agent": agent.cost,
    "plan": scale.plan,
    "simulated": scale.simulated,
    "fleet": fleet.apply,  # the last: its hosts stay
}


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--case", action="append", choices=CASES, help="only this one; may be repeated")
    parser.add_argument("--runs", type=int, default=5, help="how many times each is measured (cheap ones: more)")
    parser.add_argument("--hosts", type=int, default=50, metavar="N", help="how many hosts the case fleet has")
    parser.add_argument("--json", action="store_true", help="all samples as JSON, and no table")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if os.geteuid() != 0:
        parser.error("it makes real machines: root is needed")
    try:
        lab = Lab(given.runs, given.hosts)
    except NotNormal as error:
        parser.error(str(error))
    where = _where()
    if not given.json:
        print(", ".join(f"{name} {value}" for name, value in where.items()), line(HEADERS), sep="\n", flush=True)
    rows: list[Row] = []
    begun, interrupted = time.monotonic(), False
    try:
        with lab:
            try:
                for name in given.case or CASES:
                    for row in CASES[name](lab):
                        rows.append(row)
                        if not given.json:
                            print(line(row.cells()), flush=True)
            finally:
                signal.signal(signal.SIGINT, signal.SIG_IGN)  # from here on everything is removed
    except KeyboardInterrupt:
        interrupted = True
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode(errors="replace") if isinstance(error.stderr, bytes) else error.stderr
        print(f"{error}\n{said or ''}", file=sys.stderr)
        return 1
    left = lab.left()
    for each in left:
        print(f"not removed: {each}", file=sys.stderr)
    if given.json:
        print(json.dumps({"where": where, "rows": [row.as_json() for row in rows]}, indent=1))
    else:
        load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
        print(f"{time.monotonic() - begun:.0f} s; load average at the end {load}")
    if interrupted:
        return 130
    return 0 if not left and all(row.ok for row in rows) else 1


def _where() -> dict[str, object]:
    """This computer, as far as it matters for the figures."""
    return {
        "cores": os.cpu_count(),
        "kernel": platform.release().partition("-")[0],
        "python": platform.python_version(),
        "load": f"{os.getloadavg()[0]:.1f}",
    }


if __name__ == "__main__":
    sys.exit(main())
