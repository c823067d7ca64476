"""The host as converge touches it: files below one root, written atomically, and commands with a deadline."""

from __future__ import annotations

import os
import time

from machine.agent.errors import Failed
from machine.agent.text import printable

DIRECTORY = "/var/lib/pymachine-agent"


class Ran:
    """A command that ended: exit code, and what it said."""

    __slots__ = ("code", "err", "out")

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    def last_complaint(self, lines: int = 3) -> str:
        """The end of what went to standard error; empty when nothing did."""
        return self.last_words(lines) if self.err.strip() else ""

    def last_words(self, lines: int = 3) -> str:
        """The end of what it complained about, one line."""
        said = [line for line in (self.err or self.out).splitlines() if line.strip()]
        return printable(" / ".join(said[-lines:]), 600)


class Host:
    """Where things are, and until when we may work on them.

    Args:
        root: the host's file system; another one than ``/`` in tests.
        environment: proxies and the like, for the commands we start.
        deadline: seconds from now.
    """

    def __init__(self, root: str = "/", environment: dict[str, str] | None = None, deadline: float = 900.0) -> None:
        self.root = root
        self._until = time.monotonic() + deadline
        self.environment = {
            "PATH": os.environ.get("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"),
            "LC_ALL": "C",
            "HOME": "/root",
            "DEBIAN_FRONTEND": "noninteractive",
        }
        for name, value in (environment or {}).items():
            self.environment[name.lower()] = self.environment[name.upper()] = value

    def path(self, absolute: str) -> str:
        """Where this path of the host is for us."""
        return os.path.join(self.root, absolute.lstrip("/"))

    def own(self, name: str) -> str:
        """Something in the agent's directory."""
        return self.path(os.path.join(DIRECTORY, name))

    def left(self) -> float:
        """Seconds that are left.

        Raises:
            Failed: none are.
        """
        left = self._until - time.monotonic()
        if left <= 0:
            raise Failed("deadline", "the host took longer than it was given", hint="run the command again: it goes on")
        return left

    def read(self, path: str) -> bytes | None:
        """A file of ours; None when it is not there."""
        try:
            with open(path, "rb") as file:
                return file.read()
        except FileNotFoundError:
            return None

    def write(self, path: str, data: bytes, mode: int = 0o644, *, durable: bool = True) -> bool:
        """Make the file hold this, all of it or as before; False when it already did.

        Args:
            durable: even when the power goes. Not waited for where whoever reads it sees whether it is whole.
        """
        try:
            if self.read(path) == data and os.stat(path).st_mode & 0o777 == mode:
                return False
        except OSError:
            pass
        directory, name = os.path.split(path)
        self.make_directory(directory)
        temporary = os.path.join(directory, f".{name}.new")
        self.remove(temporary)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
        try:
            with open(descriptor, "wb") as file:
                file.write(data)
                os.fchmod(descriptor, mode)
                file.flush()
                if durable:
                    os.fsync(descriptor)
            os.replace(temporary, path)
        except BaseException:
            self.remove(temporary)
            raise
        if durable:
            sync_directory(directory)
        return True

    def make_directory(self, path: str) -> None:
        """Make it, and what is above it, readable for all: the service runs as its own user."""
        if not os.path.isdir(path):
            old = os.umask(0o022)
            try:
                os.makedirs(path, 0o755, exist_ok=True)
            finally:
                os.umask(old)

    def link(self, path: str, target: str) -> bool:
        """Make the symbolic link point there, atomically; False when it already did."""
        try:
            if os.readlink(path) == target:
                return False
        except OSError:
            pass
        temporary = path + ".new"
        self.remove(temporary)
        os.symlink(target, temporary)
        os.replace(temporary, path)
        sync_directory(os.path.dirname(path))
        return True

    def remove(self, path: str) -> bool:
        """Remove a file or link; False when there was none."""
        try:
            os.unlink(path)
        except FileNotFoundError:
            return False
        return True

    def has(self, command: str) -> bool:
        """Whether there is such a command."""
        places = self.environment["PATH"].split(":")
        return any(os.access(os.path.join(place, command), os.X_OK) for place in places if place)

    def run(self, *command: str, seconds: float = 120.0, merge: bool = False) -> Ran:
        """Run a command to its end; one that is not there has exit code 127.

        Raises:
            Failed: it took longer than that, or than what is left.
        """
        import subprocess  # 8 ms that a converge with nothing to do need not pay twice

        limit = min(seconds, self.left())
        try:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT if merge else subprocess.PIPE,
                env=self.environment,
                timeout=limit,
                check=False,
            )
        except FileNotFoundError:
            return Ran(127, "", f"{command[0]}: not found")
        except subprocess.TimeoutExpired:
            raise Failed("deadline", f"{command[0]} did not end within {limit:.0f} s") from None
        return Ran(done.returncode, done.stdout.decode(errors="replace"), (done.stderr or b"").decode(errors="replace"))


def sync_directory(path: str) -> None:
    """Make a rename in this directory survive a power loss."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
