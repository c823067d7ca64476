"""Reading and writing inside a machine's root file system without ever leaving it.

The files there belong to the machine: any of them may be a symbolic link to ``/etc/passwd``, meaning the machine's.
Followed from outside it would be the operator's. So a path is walked one component at a time from a directory that is
held open, links are resolved by hand within that root, and a file is replaced, never written through.
"""

from __future__ import annotations

import errno
import os
import stat
from collections import deque

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_MODE = 0o755  # of directories on the way to a file
_MAX_LINKS = 40  # as the kernel


class InRoot:
    """A root file system, by an open directory. Paths are absolute, as the machine sees them."""

    def __init__(self, directory: str) -> None:
        self._root = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def close(self) -> None:
        """Let the root go."""
        os.close(self._root)

    def __enter__(self) -> InRoot:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def identity(self) -> os.stat_result:
        """Device and inode of the root directory."""
        return os.fstat(self._root)

    def exists(self, path: str) -> bool:
        """Whether there is something at this path, links in its directory followed, a link itself not."""
        return self.kind(path) is not None

    def kind(self, path: str) -> int | None:
        """The file type bits of ``stat``; None: nothing there."""
        try:
            parent, name = self._parent(path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        try:
            return stat.S_IFMT(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode)
        except FileNotFoundError:
            return None
        finally:
            os.close(parent)

    def readlink(self, path: str) -> str | None:
        """Where a link points; None: it is none."""
        try:
            parent, name = self._parent(path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        try:
            return os.readlink(name, dir_fd=parent)
        except OSError:
            return None
        finally:
            os.close(parent)

    def read(self, path: str) -> str | None:
        """The text of a regular file, at most a megabyte; None: there is none, or it is a link or a device."""
        try:
            parent, name = self._parent(path)
        except (FileNotFoundError, NotADirectoryError):
            return None
        try:
            if not stat.S_ISREG(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode):
                return None
            handle = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=parent)
            with open(handle, encoding="utf-8", errors="surrogateescape") as file:
                return file.read(1 << 20)
        except FileNotFoundError:
            return None
        finally:
            os.close(parent)

    def names(self, path: str) -> list[str]:
        """The names in a directory, sorted; none when it does not exist."""
        try:
            handle = self._directory(_parts(path))
        except (FileNotFoundError, NotADirectoryError):
            return []
        try:
            return sorted(os.listdir(handle))
        finally:
            os.close(handle)

    def directory(self, path: str, mode: int = 0o755) -> None:
        """Make a directory, and those above it, unless it is there; the mode is set in either case for a new one."""
        parts = _parts(path)
        parent = self._directory(parts[:-1], create=True)
        try:
            os.mkdir(parts[-1], mode, dir_fd=parent)
            os.chmod(parts[-1], mode, dir_fd=parent)  # whatever the umask
        except FileExistsError:
            pass
        finally:
            os.close(parent)

    def write(self, path: str, text: str, mode: int = 0o644) -> None:
        """Put a file of root's here in place of whatever is there; written only when it differs."""
        if self.read(path) == text:
            return
        parts = _parts(path)
        parent = self._directory(parts[:-1], create=True)
        try:
            new = f".{parts[-1]}.pymachine"
            _discard(new, parent)
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            handle = os.open(new, flags, mode, dir_fd=parent)
            with open(handle, "w", encoding="utf-8", errors="surrogateescape") as file:
                os.fchmod(file.fileno(), mode)
                file.write(text)
            os.replace(new, parts[-1], src_dir_fd=parent, dst_dir_fd=parent)
        finally:
            os.close(parent)

    def symlink(self, target: str, path: str) -> None:
        """Put a symbolic link here in place of whatever file is there."""
        if self.readlink(path) == target:
            return
        parts = _parts(path)
        parent = self._directory(parts[:-1], create=True)
        try:
            new = f".{parts[-1]}.pymachine"
            _discard(new, parent)
            os.symlink(target, new, dir_fd=parent)
            os.replace(new, parts[-1], src_dir_fd=parent, dst_dir_fd=parent)
        finally:
            os.close(parent)

    def remove(self, path: str) -> None:
        """Remove a file or a link; nothing there is fine."""
        try:
            parent, name = self._parent(path)
        except (FileNotFoundError, NotADirectoryError):
            return
        try:
            _discard(name, parent)
        finally:
            os.close(parent)

    def _parent(self, path: str) -> tuple[int, str]:
        parts = _parts(path)
        return self._directory(parts[:-1]), parts[-1]

    def _directory(self, parts: list[str], *, create: bool = False) -> int:
        """Open a directory inside; the caller closes it."""
        trail = [os.dup(self._root)]
        try:
            pending: deque[str] = deque(parts)
            links = 0
            while pending:
                name = pending.popleft()
                if name == "..":
                    if len(trail) > 1:  # above the root is the root
                        os.close(trail.pop())
                    continue
                try:
                    trail.append(self._step(name, trail[-1], create))
                except OSError as error:
                    # ELOOP or ENOTDIR: a link, or a file
                    if error.errno not in (errno.ELOOP, errno.ENOTDIR):
                        raise
                    target = _link(name, trail[-1])
                    if target is None:
                        raise
                    links += 1
                    if links > _MAX_LINKS:
                        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), name) from None
                    if target.startswith("/"):
                        while len(trail) > 1:
                            os.close(trail.pop())
                    pending.extendleft(reversed(_components(target)))
            return trail.pop()
        finally:
            for handle in trail:
                os.close(handle)

    @staticmethod
    def _step(name: str, parent: int, create: bool) -> int:
        try:
            return os.open(name, _DIRECTORY, dir_fd=parent)
        except FileNotFoundError:
            if not create:
                raise
            os.mkdir(name, _MODE, dir_fd=parent)
            os.chmod(name, _MODE, dir_fd=parent)  # whatever the umask
            return os.open(name, _DIRECTORY, dir_fd=parent)


def _components(path: str) -> list[str]:
    return [part for part in path.split("/") if part not in ("", ".")]


def _parts(path: str) -> list[str]:
    parts = _components(path)
    if not path.startswith("/") or not parts or ".." in parts:
        raise ValueError(f"not a path inside a machine: {path!r}")
    return parts


def _link(name: str, parent: int) -> str | None:
    try:
        return os.readlink(name, dir_fd=parent)
    except OSError:
        return None


def _discard(name: str, parent: int) -> None:
    try:
        os.unlink(name, dir_fd=parent)
    except FileNotFoundError:
        pass
