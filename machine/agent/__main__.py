"""The zipapp's commands: ``serve`` (what the unit starts), ``uninstall`` (by hand, on the host), ``version``."""

from __future__ import annotations

import sys

DIRECTORY = "/var/lib/pymachine-agent"


def main(arguments: list[str]) -> int:
    """Run one command; the exit code."""
    command, options = (arguments[0] if arguments else ""), arguments[1:]
    if command == "serve":
        from machine.agent.serve.command import serve

        return serve(options)
    if command == "uninstall":
        from machine.agent.converge.command import uninstall

        return uninstall()
    if command == "version":
        from machine.agent.version import VERSION

        sys.stdout.write(f"{VERSION}\n")
        return 0
    sys.stderr.write("usage: agent.pyz serve | uninstall | version\n")
    return 64


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
