"""A machine's processes: started, found again, ended.

The leader is the launcher, which boots the machine again when it reboots itself; systemd-nspawn is its child, and the
machine's init the child of that. The leader is known by its process id together with its start time and the boot of
this computer, so that another process that got the same number later is never taken for it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import select
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import IO

from machine.drivers.nspawn import records
from machine.drivers.nspawn.commands import environment
from machine.drivers.nspawn.directories import make_private
from machine.drivers.nspawn.layout import Place
from machine.errors import DriverError

_ANSWERS_WITHIN = 10.0  # seconds for the launcher to mount, or to set up its interface
_NSPAWN_LOCKS = Path("/run/systemd/nspawn/locks")
_NSPAWN_PROPAGATE = Path("/run/systemd/nspawn/propagate")

# Tried by leaving each out: without all capabilities dockerd does not start, without the system calls runc fails.
_ARGUMENTS = (
    "--quiet", "--register=no", "--keep-unit", "--boot",
    # The launcher's own namespace, named: only a private network leaves /proc/sys/net writable.
    "--network-namespace-path=/proc/self/ns/net",
    "--resolv-conf=off", "--timezone=off", "--console=read-only", "--kill-signal=SIGRTMIN+3",
    "--capability=all", "--system-call-filter=add_key keyctl request_key bpf",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Leader:
    """A machine's first process on the operator's side."""

    pid: int
    start: str  # in clock ticks after the boot
    boot: str  # which boot of this computer
    lock: str = ""  # the file that systemd-nspawn leaves behind when it is killed


def find(place: Place) -> Leader | None:
    """The leader of a machine that runs; None: it does not."""
    try:
        leader: Leader | None = records.read_as(place.leader, Leader)
    except DriverError:
        return None  # half a file of a power cut: that process is gone too
    if leader is None or leader.boot != _boot() or _start(leader.pid) != leader.start:
        return None
    return leader


@dataclass(frozen=True, slots=True)
class Launcher:
    """A machine that is mounted and has namespaces, and boots when it is told to."""

    pid: int
    place: Place
    _said: IO[bytes]
    _tell: IO[bytes]

    @property
    def root(self) -> str:
        """Its merged root file system, seen from here."""
        return f"/proc/{self.pid}/root{self.place.merged}"

    def connect(self) -> None:
        """Let it set up the interface that it was given; it goes on while we do other things."""
        self._word(b"net")

    def boot(self, root: os.stat_result) -> None:
        """Let it boot; from here on it no longer depends on us.

        Args:
            root: of its root directory, by which systemd-nspawn names its lock.
        """
        # Up before anybody calls its address: a neighbour that does not answer is asked again only after a second.
        connected = _line(self._said) == b"up\n"
        start = _start(self.pid)
        if start is None or not connected:
            raise DriverError("the machine's network cannot be set up", cause=console_tail(self.place))
        leader = Leader(pid=self.pid, start=start, boot=_boot(), lock=f"inode-{root.st_dev}:{root.st_ino}")
        make_private(self.place.leader.parent)
        records.write_as(self.place.leader, leader)
        self._word(b"go")

    def _word(self, word: bytes) -> None:
        try:
            self._tell.write(word + b"\n")
            self._tell.flush()
        except BrokenPipeError as error:
            raise DriverError(
                "the machine's first process ended before its boot", cause=console_tail(self.place)
            ) from error


@contextmanager
def launch(
    place: Place, *, id: str, host: str, base: str, groups: Sequence[Path], network: Mapping[str, str]
) -> Iterator[Launcher]:
    """Start the process that will be the machine; unless it is told to boot in the block, it ends with the block.

    Args:
        place: the machine's files.
        id: names it for systemd-nspawn.
        host: its host name.
        base: the directory below its overlay.
        groups: the control groups it goes into.
        network: ADDRESS with prefix length, GATEWAY and MTU.

    Raises:
        DriverError: it cannot mount its root file system.
    """
    script = (resources.files("machine") / "templates/nspawn/launch.sh").read_text(encoding="utf-8")
    binds = [f"--bind={source}:{target}" for target, source in place.binds.items()]
    names = [f"--machine={id}", f"--hostname={host}", f"--directory={place.merged}"]
    values = {
        "CGROUPS": " ".join(map(str, groups)), "ROOT": str(place.merged), "LOWER": base, "UPPER": str(place.upper),
        "WORK": str(place.work), "CONSOLE": str(place.console), **network,
    }  # fmt: skip
    with place.console.open("wb") as console:
        process = subprocess.Popen(
            # Out of our session, and no child of ours: it outlives the logout and is not ours to wait for.
            ["setsid", "--fork", "unshare", "--mount", "--net", "--propagation=private", "--",
             "sh", "-c", script, "launch", *_ARGUMENTS, *names, *binds],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=console,
            env=_clean_environment() | values, cwd="/", umask=0o022,
        )  # fmt: skip
    assert process.stdin is not None  # noqa: S101
    assert process.stdout is not None  # noqa: S101
    with process.stdout, process.stdin:
        process.wait()
        yield Launcher(_ready(process.stdout, place), place, process.stdout, process.stdin)


def _ready(said: IO[bytes], place: Place) -> int:
    words = _line(said).split()
    if len(words) != 2:
        raise DriverError("the machine's root file system cannot be mounted", cause=console_tail(place))
    return int(words[1])


def _line(said: IO[bytes]) -> bytes:
    """The launcher's next line, one at a time by agreement; empty when it says nothing any more, or not in time."""
    return said.readline() if select.select([said], [], [], _ANSWERS_WITHIN)[0] else b""


def _clean_environment() -> dict[str, str]:
    """Nothing of the operator's own: systemd-nspawn and its child would carry it for the machine's whole life."""
    return {name: value for name, value in environment().items() if name in ("PATH", "LC_ALL")}


def ask_to_stop(leader: Leader, asked: set[int]) -> None:
    """Let the machine shut down in order: systemd-nspawn passes it on as the signal that systemd expects.

    Args:
        leader: of the machine.
        asked: the processes that were asked before, and are not again: systemd-nspawn takes the second time for haste.
            Between two boots of a machine that reboots there is nobody to ask.
    """
    try:
        children = Path(f"/proc/{leader.pid}/task/{leader.pid}/children").read_text().split()
    except OSError:
        return
    for pid in {int(child) for child in children} - asked:
        if not _is_nspawn(pid):
            continue  # not yet: the launcher is just about to become it
        asked.add(pid)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)


def _is_nspawn(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/comm").read_text().startswith("systemd-nspawn")
    except OSError:
        return False


def wait(leader: Leader, seconds: float) -> bool:
    """Wait for a leader's end; whether it came in time."""
    try:
        handle = os.pidfd_open(leader.pid)
    except ProcessLookupError:
        return True
    try:
        if _start(leader.pid) != leader.start:
            return True
        return bool(select.select([handle], [], [], seconds)[0])
    finally:
        os.close(handle)


def forget(place: Place, id: str) -> None:
    """Remove what a leader that is gone left in ``/run``, ours and systemd-nspawn's."""
    try:
        leader: Leader | None = records.read_as(place.leader, Leader)
    except DriverError:
        leader = None
    if leader is not None and leader.lock:
        _discard_lock(_NSPAWN_LOCKS / leader.lock)
    with contextlib.suppress(OSError):
        (_NSPAWN_PROPAGATE / id).rmdir()
    records.forget(place.leader)


def console_tail(place: Place, lines: int = 8) -> str:
    """The end of what a boot said, for people: no colours, no control characters."""
    try:
        text = place.console.read_bytes()[-8192:].decode("utf-8", "replace")
    except OSError:
        return "nothing on the console"
    plain = "".join(c if c.isprintable() or c == "\n" else " " for c in _without_escapes(text))
    said = [line.strip() for line in plain.splitlines() if line.strip()]
    return "\n".join(said[-lines:]) or "nothing on the console"


def _without_escapes(text: str) -> str:
    return re.sub(r"\x1b(\[[0-9;?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)?|.)", "", text)


def _discard_lock(path: Path) -> None:
    """Remove a lock file of systemd-nspawn's unless somebody holds it: inode numbers come again."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink(missing_ok=True)
    except OSError:
        pass  # held: another container's
    finally:
        os.close(handle)


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def _start(pid: int) -> str | None:
    """When a process was started; None: there is none, or it has ended and was not collected yet."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] in ("Z", "X") else fields[19]
