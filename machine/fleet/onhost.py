"""Files and commands on a host: steps of the operation that made it, over the connection that is open anyway.

A file is sent to a temporary one beside its place, compared by its length, given its mode and owner, and renamed: it is
there whole or not at all. A command is run by root's ``sh``, and recorded as done when it has succeeded; one that was
cut off is run again. Neither a file's content nor a command stands in a process list or in the store.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import shlex
import threading
from collections.abc import Collection, Sequence

from machine.bootstrap.stub import command as run_script
from machine.errors import BootstrapFailed, HostUnreachable, UsageError
from machine.fleet.model import CommandOnHost, FileOnHost, WantedMachine
from machine.fleet.workleft import brief, command_key, file_state, files_state, forgotten, of_instance, work_left
from machine.operations.operation import Operation, Step
from machine.ssh.connection import Connection

_log = logging.getLogger(__name__)
_TAIL = 2000  # characters of what a command said that are shown where it fails
_PIECE = 65536
_PUT = """{{
target={target}
[ ! -d "$target" ] || {{ echo "$target is a directory" >&2; exit 1; }}
umask 022
mkdir -p -- "$(dirname -- "$target")" || exit 1
new="$(dirname -- "$target")/.$(basename -- "$target").pymachine-new"
umask 077
rm -f -- "$new"
set -C
if cat >"$new" && [ "$(wc -c <"$new")" -eq {size} ] && chmod {mode:04o} "$new" && chown {owner} "$new" &&
    mv -f -- "$new" "$target"
then exit 0
fi
rm -f -- "$new"
exit 1
}}
"""


class Contents:
    """The files of a fleet on this computer, each read once however many hosts get it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._read: dict[tuple[str, str], bytes] = {}

    def of(self, file: FileOnHost) -> bytes:
        """The bytes of a file, as they were when the fleet's file was read.

        Raises:
            UsageError: it is gone, or another by now.
        """
        with self._lock:
            content = self._read.get((file.source, file.digest))
            if content is None:
                content = self._read[file.source, file.digest] = _content(file)
            return content


def _content(file: FileOnHost) -> bytes:
    try:
        with open(file.source, "rb") as opened:
            content = opened.read()
    except OSError as error:
        raise UsageError(f"cannot read {file.source}", cause=error.strerror) from error
    if file.digest and hashlib.sha256(content).hexdigest() != file.digest:
        raise UsageError(f"{file.source} has been changed since it was looked at", hint="apply the fleet again")
    return content


def finish_host(
    op: Operation, connection: Connection, wanted: WantedMachine, contents: Contents, put_back: Collection[str] = ()
) -> None:
    """Put the machine's files on its host and run its commands: those that are not recorded as done there.

    Args:
        put_back: files that are recorded, and are not there as they were put: they are forgotten before they are put
            there again, so that who is cut off in between goes on with them.

    Raises:
        BootstrapFailed: a file could not be written, or a command failed; what was done before it is recorded.
    """
    machine = op.store.machines.get(op.machine)
    instance = machine.instance.id if machine.instance else None
    applied = forgotten(of_instance(machine.applied, instance), wanted, put_back)
    work = work_left(wanted, applied, instance)
    if work.files or work.dropped:
        with op.step("files") as step:
            for target in work.dropped:
                del applied["files"][target]
            if put_back:
                op.store.journal.record_applied(op.entry, applied)
            for file in work.files:
                _put(op, connection, file, contents.of(file))
                applied["files"][file.target] = file_state(file)
                op.store.journal.record_applied(op.entry, applied)
            op.store.journal.record_applied(op.entry, applied)
            step.summary = ", ".join(each.target for each in work.files)
    if work.commands:
        with op.step("commands") as step:
            state = files_state(wanted.files)
            known = {command_key(each) for each in wanted.commands}
            applied["commands"] = {key: value for key, value in applied["commands"].items() if key in known}
            for command in work.commands:
                _run(op, step, connection, command)
                applied["commands"][command_key(command)] = state
                op.store.journal.record_applied(op.entry, applied)
            step.summary = _counted(work.commands)


def _put(op: Operation, connection: Connection, file: FileOnHost, content: bytes) -> None:
    script = _PUT.format(
        target=shlex.quote(file.target), size=len(content), mode=file.mode, owner=shlex.quote(file.owner)
    )
    op.fence()
    status, said = _shell(op, connection, script, content)
    if status != 0:
        raise BootstrapFailed(
            f"{file.target} could not be written", code="file", cause=_last_line(said) or f"exit status {status}"
        )


def _run(op: Operation, step: Step, connection: Connection, command: CommandOnHost) -> None:
    step.progress(brief(command.run))
    op.fence()
    status, said = _shell(op, connection, f"exec </dev/null\n{{\n{command.run}\n}}\n", b"")
    for line in said.splitlines():
        _log.info("on the host: %s", line)
    if status != 0:
        where = f"{command.at}: " if command.at else ""
        raise BootstrapFailed(
            f"{where}the command {brief(command.run)!r} exited {status}",
            code="command",
            cause=said.strip()[-_TAIL:] or "it said nothing",
        )


def _shell(op: Operation, connection: Connection, script: str, content: bytes) -> tuple[int, str]:
    """Run a script as root, with these bytes for its stdin.

    Returns:
        Its exit status, and the last of what it said on stdout and stderr.
    """
    # It is evaluated as one compound command: of one that was cut off on its way nothing is run.
    text = f"exec 2>&1\n{script}".encode()
    with connection.open(run_script(connection.user != "root", text), op.deadline) as channel:
        channel.send(text)
        with contextlib.suppress(HostUnreachable):  # it may end without reading on: its last words say why
            channel.send(content)
        channel.close_stdin()
        said = b""
        while part := channel.recv(_PIECE):
            said = (said + part)[-_PIECE:]
        status = channel.exit_status()
        return status, (said + channel.stderr()).decode("utf-8", "replace")


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else ""


def _counted(commands: Sequence[CommandOnHost]) -> str:
    return brief(commands[0].run) if len(commands) == 1 else f"{len(commands)} commands"
