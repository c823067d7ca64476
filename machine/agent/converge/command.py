"""Where the loader hands over: read what is wanted, do it, say how it went. And `uninstall` by hand."""

from __future__ import annotations

import os
import sys

from machine.agent.converge import lock
from machine.agent.errors import Failed, Gone
from machine.agent.host import Host
from machine.agent.wire import Wire

TYPE_CHECKING = False  # `typing` would cost a converge with nothing to do 4 ms
if TYPE_CHECKING:
    from typing import Any, BinaryIO

PROTOCOL = 1


def run(
    source: BinaryIO,
    sink: BinaryIO,
    offer: dict[str, Any],
    sha256: str,
    data: bytes,
    installed: list[str],
    bytecode: bytes | None = None,
) -> int:
    """One bootstrap, from the wanted document to the last line; the exit code.

    Args:
        source, sink: the channel.
        offer: what the loader was given; ``root`` is where the host's files are.
        sha256, data: the agent that runs.
        installed: packages the stub had to install to come this far.
        bytecode: the same compiled (`machine.agent.start`), where it is there; it comes before it in ``sys.path``.
    """
    wire = Wire(source, sink)
    os.umask(0o077)
    try:
        wanted = wire.receive()
        if wanted.get("protocol") != PROTOCOL:
            raise Failed(
                "protocol",
                f"the agent on the host speaks protocol {PROTOCOL}, the operator {wanted.get('protocol')}",
                hint="use a pymachine at least as new as the agent on the host",
            )
        host = Host(offer.get("root", "/"), wanted.get("environment"), float(wanted.get("deadline", 900)))
        wire.begin("turn")
        lock.take(host, wire)
        if wanted.get("action") == "uninstall":
            from machine.agent.converge.uninstall import uninstall as remove

            wire.finish(remove(host, wire, str(wanted["store"]), str(wanted["machine"])))
        elif wanted.get("action") == "clean":
            from machine.agent.converge.clean import clean

            wire.finish(clean(host, wire, str(wanted["store"]), str(wanted["machine"])))
        elif wanted.get("action") == "upgrade":
            from machine.agent.converge.upgrade import upgrade

            wire.finish(upgrade(host, wire, wanted))
        else:
            from machine.agent.converge.flow import Agent, converge

            archive = sys.path[0 if bytecode is None else 1]
            wire.finish(converge(host, wire, wanted, Agent(sha256, data, archive, bytecode), installed))
    except Gone:
        return 0
    except Failed as error:
        wire.fail(error)
    except (KeyError, TypeError, ValueError) as error:
        wire.fail(Failed("protocol", "the wanted document cannot be understood", repr(error)))
    except OSError as error:
        hint = "make room on the host's disk" if error.errno == 28 else ""
        wire.fail(Failed("host", f"the host could not be changed: {error.strerror}", str(error), hint))
    return 0


def uninstall() -> int:
    """``agent.pyz uninstall``, as root on the host: for the day nobody has the store any more."""
    import contextlib

    from machine.agent.converge.uninstall import uninstall as remove

    class Terminal:  # that may be closed, or a pipe that nobody reads: what root has said is done all the same
        def write(self, data: bytes) -> None:
            with contextlib.suppress(OSError, AttributeError):
                os.write(sys.stdout.fileno(), data)

        def flush(self) -> None:
            pass

        def fileno(self) -> int:
            raise OSError("not to be waited for")

    wire = Wire(None, Terminal())
    try:
        wire.finish(remove(Host(), wire, "", ""))
    except (Failed, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0
