"""Building a clean Debian root file system with mmdebstrap, and saying what it is doing."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import tempfile
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from machine.driver import Recorder
from machine.drivers.nspawn import sources as apt
from machine.drivers.nspawn.commands import environment
from machine.errors import DriverError

# A system with the engine in it. Full python3: the agent needs more of its library than python3-minimal has.
DOCKER_PACKAGES = (
    "systemd-sysv", "dbus", "openssh-server", "python3", "docker.io", "iptables", "iproute2", "ca-certificates", "sudo",
)  # fmt: skip
# Documentation of packages that nobody reads inside a container host, and half of the unpacked files.
_LEFT_OUT = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/info/*", "/usr/share/locale/*")
_TELL_EVERY = 0.5  # seconds between two lines about the same phase: they are kept as events
_QUIET = 120.0  # seconds without a word after which a build is stuck


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What a built base is; its hash names it in the cache."""

    suite: str
    architecture: str
    include: tuple[str, ...] = DOCKER_PACKAGES
    mirror: str | None = None  # only when the operator asked for one: mirrors have the same packages
    version: int = 1  # of this code: raise it when the same recipe comes out differently


class Progress:
    """Turns what mmdebstrap says into what a person wants to know. It works in two rounds: essential, then the rest."""

    def __init__(self) -> None:
        self._total = 0
        self._round = 0
        self._seen = 0

    def line(self, line: str) -> str | None:
        """One line of its output; a line for people, or None when this one means nothing to them."""
        text = self._count(line)
        if text is not None:
            return text
        if line.startswith("I: running apt-get update"):
            return "reading the package lists"
        if line.startswith("I: extracting archives"):
            return "unpacking the essential packages"
        if line.startswith("I: cleaning"):
            return "cleaning up"
        return None

    def _count(self, line: str) -> str | None:
        match = re.search(r"(\d+) newly installed", line)
        if match is not None:
            self._total, self._seen = int(match[1]), 0
            self._round += 1
            return None
        match = re.match(r"Get:(\d+) ", line)
        if match is not None and self._total:
            return f"retrieving {min(int(match[1]), self._total)}/{self._total} packages ({self._round} of 2)"
        for said, text in (("Unpacking ", "unpacking"), ("Setting up ", "setting up")):
            if line.startswith(said) and self._total:
                self._seen += 1
                return f"{text} {line.split()[len(said.split())]} ({self._round} of 2)"
        return None


def build(target: Path, recipe: Recipe, record: Recorder) -> None:
    """Make a root file system at a path that does not exist yet.

    Raises:
        DriverError: mmdebstrap failed; ``cause`` is the end of what it said.
    """
    chosen = apt.choose(recipe.suite, recipe.mirror, apt.operator_sources(), apt.own_codename())
    with tempfile.TemporaryDirectory(prefix="pymachine-build-") as scratch:
        # As files, not as arguments: a proxy's address may hold a password, and arguments are everybody's to read.
        sources = _private(Path(scratch, "debian.sources"), apt.render(chosen))
        settings = _private(Path(scratch, "apt.conf"), "\n".join(apt.operator_fetch_settings()) + "\n")
        _follow(_command(target, recipe, sources, settings), record)


def _private(path: Path, text: str) -> Path:
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(handle, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def _command(target: Path, recipe: Recipe, sources: Path, settings: Path) -> list[str]:
    return [
        # Should we be killed, the build ends too: the kernel kills unshare, and with it the whole process namespace.
        "setpriv", "--pdeathsig", "KILL", "--",
        "unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "--",
        "mmdebstrap", "--mode=root", "--format=directory", "--verbose", "--variant=minbase",
        f"--architectures={recipe.architecture}", f"--include={','.join(recipe.include)}", f"--aptopt={settings}",
        "--dpkgopt=force-unsafe-io", *(f"--dpkgopt=path-exclude={pattern}" for pattern in _LEFT_OUT),
        recipe.suite, str(target), str(sources),
    ]  # fmt: skip


def _follow(command: Sequence[str], record: Recorder) -> None:
    progress, last, told = Progress(), deque[str](maxlen=12), ("", 0.0)
    process = subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env=environment(DEBIAN_FRONTEND="noninteractive"), start_new_session=True, umask=0o022,
    )  # fmt: skip
    try:
        for line in _lines(process, record):
            last.append(line)
            text = progress.line(line)
            if text is None:
                continue
            phase, now = text.split()[0], time.monotonic()
            if phase != told[0] or now - told[1] >= _TELL_EVERY:
                record.progress(text)
                told = (phase, now)
        status = process.wait()
    except BaseException:
        process.send_signal(signal.SIGKILL)
        process.wait()
        raise
    finally:
        if process.stdout is not None:
            process.stdout.close()
    if status != 0:
        said = [line for line in last if line.startswith(("E:", "W:", "Err:"))] or list(last)
        raise DriverError(
            "the Debian root file system could not be built",
            cause="; ".join(said)[-800:],
            hint="check this computer's package sources (apt-get update), or give --nspawn-mirror or --nspawn-rootfs",
        )


def _lines(process: subprocess.Popen[bytes], record: Recorder) -> Iterator[str]:
    assert process.stdout is not None  # noqa: S101
    handle, rest, heard = process.stdout.fileno(), b"", time.monotonic()
    while True:
        record.check()
        ready, _, _ = select.select([handle], [], [], 0.2)
        if not ready:
            if time.monotonic() - heard > _QUIET:
                raise DriverError(
                    f"building the Debian root file system stands still for {_QUIET:.0f} s",
                    hint="check the way to the package mirror, or give --nspawn-mirror",
                )
            continue
        heard = time.monotonic()
        data = os.read(handle, 1 << 16)
        if not data:
            return
        *whole, rest = (rest + data).split(b"\n")
        for line in whole:
            yield line.decode("utf-8", "replace").rstrip()
