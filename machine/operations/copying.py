"""Files to and from machines by the operator's own scp or rsync, and a host's directory by its sshfs."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from machine.errors import UsageError
from machine.operations.sshoptions import SshHost, ssh_config

_LOCAL = "localhost"
_USERS_CONFIGURATION = ("~/.ssh/config", "/etc/ssh/ssh_config")

Look = Callable[[str], SshHost]
"""The host of the machine of this name."""

Run = Callable[[Sequence[str]], int]
"""Runs a program; its exit code."""


@dataclass(frozen=True, slots=True)
class Place:
    """One end of a copy."""

    path: str
    machine: str | None = None  # None: this computer
    user: str | None = None  # None: the machine's


def parse_place(text: str) -> Place:
    """``[[user@]machine:]path``; ``localhost:path`` is this computer, also where the path has a colon."""
    head, colon, path = text.partition(":")
    if not colon or "/" in head:
        return Place(text)
    user, at, machine = head.rpartition("@")
    if machine == _LOCAL:
        return Place(path)
    return Place(path, machine, user if at else None)


def of_each(source: str, target: str) -> Callable[[str], tuple[str, str]]:
    """The two ends of a copy for each of many machines, of which one was written ``:PATH``.

    Returns:
        Machine's name -> source and target; what comes from a machine goes to a directory of its name.

    Raises:
        UsageError: neither begins with a colon, or both do.
    """
    if source.startswith(":") == target.startswith(":"):
        raise UsageError(
            "say which end is on the machines, by a colon before it, and which is here",
            hint="pymachine scp --group web nginx.conf :/etc/nginx/; pymachine scp --group web :/var/log/syslog logs",
        )
    if target.startswith(":"):
        return lambda name: (source, f"{name}{target}")

    def from_one(name: str) -> tuple[str, str]:
        place = os.path.join(target, name)
        os.makedirs(place, exist_ok=True)
        return f"{name}{source}", place

    return from_one


def copy(
    source: Place,
    target: Place,
    look: Look,
    *,
    run: Run,
    recursive: bool = False,
    delta: bool = False,
    quiet: bool = False,
) -> int:
    """Run scp, or rsync, with what is known of the machines; its exit code.

    Args:
        run: `run_on_terminal`, or another way.
        delta: by rsync: only what differs is sent.

    Raises:
        UsageError: the program is not there, or rsync would have to copy between two machines.
        DriverError, NotRunning, MachineNotFound: from ``look``.
    """
    program = require("rsync" if delta else "scp", "scp")
    both = source.machine is not None and target.machine is not None
    if delta and both:
        raise UsageError("rsync cannot copy between two machines", hint="leave -d/--delta away")
    hosts = {place.machine: look(place.machine) for place in (source, target) if place.machine is not None}
    names = _names(hosts)
    ends = [_argument(place, names) for place in (source, target)]
    with _configuration([(names[said], host) for said, host in hosts.items()]) as config:
        if delta:
            line = [program, "-e", f"ssh -F {config}", *([] if quiet else ["--progress"])]
        else:
            line = [program, "-F", config, *(["-3"] if both else []), *(["-q"] if quiet else [])]
        return run([*line, *(["-r"] if recursive else []), "--", *ends])


def mount(host: SshHost, user: str | None, path: str, mountpoint: str, *, run: Run) -> int:
    """Mount a directory of a host by sshfs; its exit code.

    Raises:
        UsageError: there is no sshfs on this computer.
    """
    program = require("sshfs", "mount")
    options = dict(host.options)
    if host.identity_file:
        options["IdentityFile"] = host.identity_file
    if host.port is not None:
        options["port"] = str(host.port)
    login = user or host.user
    name = f"[{host.host}]" if ":" in host.host else host.host
    line = [program, *(part for key, value in options.items() for part in ("-o", f"{key}={_escaped(value)}"))]
    return run([*line, f"{login}@{name}:{path}" if login else f"{name}:{path}", mountpoint])


def unmount(mountpoint: str, *, run: Run) -> int:
    """Unmount what `mount` mounted; the exit code.

    Raises:
        UsageError: this computer has no fusermount.
    """
    program = shutil.which("fusermount3") or require("fusermount", "mount")
    return run([program, "-u", mountpoint])


def require(program: str, feature: str) -> str:
    """The path of a program of this computer.

    Raises:
        UsageError: it is not there.
    """
    found = shutil.which(program)
    if found is None:
        raise UsageError(
            f"You must have a copy of the {program} binary locally to use the {feature} feature",
            hint=f"install the package {'openssh-client' if program == 'scp' else program} on this computer",
        )
    return found


def _names(hosts: Mapping[str, SshHost]) -> dict[str, str]:
    """How a program calls each host: as the operator's configuration knows it, unless two would have one name."""
    called = [address for address, _ in {(host.host, host.machine) for host in hosts.values()}]
    return {said: host.host if called.count(host.host) == 1 else host.machine for said, host in hosts.items()}


def _argument(place: Place, names: dict[str, str]) -> str:
    if place.machine is None:
        plain = place.path.startswith("/") or ":" not in place.path
        return place.path if plain else f"./{place.path}"
    name = names[place.machine]
    host = f"[{name}]" if ":" in name else name
    return f"{place.user}@{host}:{place.path}" if place.user else f"{host}:{place.path}"


@contextlib.contextmanager
def _configuration(hosts: Sequence[tuple[str, SshHost]]) -> Iterator[str]:
    descriptor, path = tempfile.mkstemp(prefix="pymachine-ssh-")  # mode 0600
    try:
        users = [each for each in map(os.path.expanduser, _USERS_CONFIGURATION) if os.path.exists(each)]
        with open(descriptor, "w", encoding="utf-8") as file:
            file.write(ssh_config(hosts, users))
        yield path
    finally:
        os.unlink(path)


def run_silently(line: Sequence[str]) -> tuple[int, str]:
    """Run a program that nobody sees and that asks nobody; its exit code and what it said, in one line."""
    # Into a file: sshfs leaves a process behind that would keep a pipe open for as long as it is mounted.
    with tempfile.TemporaryFile() as said:
        code = subprocess.run(
            line, stdin=subprocess.DEVNULL, stdout=said, stderr=said, start_new_session=True, check=False
        ).returncode
        said.seek(0)
        return code, " ".join(said.read(4096).decode("utf-8", "replace").split())


def run_on_terminal(line: Sequence[str]) -> int:
    """Run a program on this terminal; a Ctrl-C reaches it, too, and it says how it ended."""
    with subprocess.Popen(line) as process:
        while True:
            try:
                code = process.wait()
                return code if code >= 0 else 128 - code
            except KeyboardInterrupt:
                continue


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace(",", "\\,")
