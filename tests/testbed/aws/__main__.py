"""The server as a process: ``python -m tests.testbed.aws --port 5000``, to try things by hand or to be killed.

It prints the variables that lead AWS's tools to it, one a line, ready for ``export``, and serves until it is ended.
"""

from __future__ import annotations

import argparse
import signal
import sys
import threading

from tests.testbed.aws.fixtures import environment
from tests.testbed.aws.server import AwsServer


def main() -> int:
    """Serve until SIGINT or SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m tests.testbed.aws", description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=0, help="where on the loopback interface; a free one")
    parser.add_argument("--hosts", action="store_true", help="instances are real machines on this computer (root)")
    arguments = parser.parse_args()
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    with AwsServer(port=arguments.port, hosts=arguments.hosts) as server:
        for name, value in environment(server.url).items():
            print(f"{name}={value}", flush=True)  # noqa: T201
        ended.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
