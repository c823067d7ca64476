"""A shell command on the hosts of many machines: each over one connection, side by side, with its own exit code."""

from __future__ import annotations

import codecs
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from machine.deadline import Deadline
from machine.errors import PymachineError
from machine.model import Machine
from machine.operations.absent import driver_of
from machine.operations.hostconnection import open_connection
from machine.operations.lifecycle import instance_of
from machine.operations.many import WORKERS, for_each
from machine.operations.operation import Settings
from machine.ssh.channel import CommandChannel
from machine.store.store import Store

_PIECE = 65536

Say = Callable[[Machine, str], None]
"""``say(machine, text)``: what a command printed, as it comes; called from many threads."""


@dataclass(frozen=True, slots=True)
class Ran:
    """A command that ended on a host."""

    status: int  # its exit code; -1: the host gave none
    stdout: str
    stderr: str  # the last 64 kB of it


def run(
    store: Store,
    machines: Sequence[Machine],
    command: str,
    settings: Settings,
    *,
    sudo: bool = False,
    stdin: bytes = b"",
    say: Say = lambda _machine, _text: None,
    workers: int = WORKERS,
) -> list[tuple[Machine, Ran | PymachineError]]:
    """Run a shell command on each host; one that fails does not stop the others.

    Args:
        command: for the login shell of the user that logs in.
        sudo: as root, by ``sh``.
        workers: so many hosts at once.

    Returns:
        Each machine with what came of it, or why the command could not be run there; in the order given.
    """
    line = f"sudo -n sh -c {shlex.quote(command)}" if sudo else command

    def on_host(machine: Machine) -> Ran:
        instance_of(machine)
        deadline = Deadline(settings.timeout, cancellation=settings.cancellation.child())
        with (
            open_connection(
                store,
                machine,
                driver_of(store, machine).capabilities,
                deadline,
                ask_passphrase=settings.ask_passphrase,
            ) as connection,
            connection.open(line, deadline) as channel,
        ):
            return _collect(channel, machine, stdin, say)

    return for_each(machines, on_host, workers=workers)


def _collect(channel: CommandChannel, machine: Machine, stdin: bytes, say: Say) -> Ran:
    if stdin:
        channel.send(stdin)
    channel.close_stdin()
    decoder = codecs.getincrementaldecoder("utf-8")("replace")  # a character may be cut in two
    parts = []
    while piece := channel.recv(_PIECE):
        parts.append(decoder.decode(piece))
        say(machine, parts[-1])
    stderr = channel.stderr().decode("utf-8", "replace")
    status = channel.exit_status()
    return Ran(status, "".join(parts), stderr)
