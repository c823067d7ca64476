"""Files beside the database, because other programs read them: ``DOCKER_CERT_PATH``, ``ssh -i``, known_hosts.

``machines/NAME/{ca,cert,key,server}.pem  id_ed25519  id_ed25519.pub  known_hosts`` and ``certs/{ca,ca-key}.pem``.
Directories are 0700, secrets 0600. A file is replaced whole or not at all, also when the power goes.
A process that was killed in the middle leaves a temporary file; the next operation sweeps it away.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Mapping

from machine.errors import StoreError
from machine.store.database import make_private_directory, sync_directory
from machine.store.owner import process_exists

SECRET, PUBLIC = 0o600, 0o644
_AS_IT_IS = getattr(os, "O_BINARY", 0)  # Windows would write line ends of its own


class Files:
    """One directory of the store, made when the first file is written to it.

    Args:
        before_change: called before anything in it is changed; raises where that must not be.
    """

    def __init__(self, directory: str, *, before_change: Callable[[], None] = lambda: None) -> None:
        self.directory = directory
        self._before_change = before_change

    def path(self, name: str) -> str:
        """Where a file is, or will be."""
        return os.path.join(self.directory, name)

    def exists(self, name: str) -> bool:
        """Whether the file is there."""
        return os.path.exists(self.path(name))

    def read(self, name: str) -> bytes | None:
        """The whole file, or None where there is none."""
        try:
            with open(self.path(name), "rb", buffering=0) as file:
                return file.read()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreError(f"cannot read {self.path(name)}", cause=error.strerror) from error

    def write(self, name: str, content: bytes, mode: int = SECRET) -> None:
        """Replace a file whole: temporary file, fsync, rename, fsync of the directory."""
        self.write_all({name: (content, mode)})

    def write_all(self, contents: Mapping[str, tuple[bytes, int]]) -> None:
        """Replace files, each whole, in this order; the directory is synchronised once.

        Args:
            contents: by name: what is in it, and its mode.
        """
        if not os.path.isdir(self.directory):  # who has taken the machine over may have removed it
            self._before_change()
            make_private_directory(self.directory)
        name, left = "", []
        try:
            for name, (content, mode) in contents.items():
                left.append(temporary := self._beside(name))
                _write(temporary, content, mode)
            self._before_change()
            for name in contents:
                os.replace(left[0], self.path(name))
                del left[0]
            sync_directory(self.directory)
        except OSError as error:
            self._before_change()  # whoever has lost the right to write need not hear what came of trying
            raise self._not_written(name, error) from error
        finally:
            for temporary in left:
                _unlink(temporary)

    def remove(self, name: str) -> None:
        """Remove one file; already gone is success."""
        self._before_change()
        try:
            os.unlink(self.path(name))
        except FileNotFoundError:
            return
        except OSError as error:
            raise StoreError(f"cannot remove {self.path(name)}", cause=error.strerror) from error

    def names(self) -> list[str]:
        """The files that are there, in order of their names."""
        try:
            return sorted(entry.name for entry in os.scandir(self.directory) if entry.is_file())
        except FileNotFoundError:
            return []

    def touch(self, name: str) -> None:
        """Make an empty file that only its owner can read, where there is none."""
        make_private_directory(self.directory)
        try:
            os.close(os.open(self.path(name), os.O_WRONLY | os.O_CREAT | os.O_APPEND, SECRET))
        except OSError as error:
            raise self._not_written(name, error) from error

    def sweep(self) -> None:
        """Remove the temporary files of processes that are gone: nobody will rename them any more."""
        try:
            for entry in os.scandir(self.directory):
                writer = entry.name.rpartition("-")[0].rpartition(".")[2]
                if entry.name.startswith(".") and writer.isdigit() and not process_exists(int(writer)):
                    os.unlink(entry.path)
        except OSError:
            return  # no directory yet, or another sweeper was first: what is left goes the next time

    def remove_all(self) -> None:
        """Remove the directory and all in it; already gone is success."""
        if not os.path.isdir(self.directory):
            return
        self._before_change()
        shutil.rmtree(self.directory, ignore_errors=True)
        if os.path.isdir(self.directory):
            raise StoreError(f"cannot remove {self.directory}", hint="look at its owner and permissions")

    def _not_written(self, name: str, error: OSError) -> StoreError:
        return StoreError(
            f"cannot write {self.path(name)}",
            cause=error.strerror,
            hint=f"look at the space left and the permissions: df -h {self.directory}",
        )

    def _beside(self, name: str) -> str:
        """A path for a file's next content; `sweep` knows whose it is."""
        return self.path(f".{name}.{os.getpid()}-{os.urandom(4).hex()}")


def _write(path: str, content: bytes, mode: int) -> None:
    """Make a file that is not there yet, on the disk."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _AS_IT_IS, mode)
    try:
        left = memoryview(content)
        while left:
            left = left[os.write(descriptor, left) :]
        if os.fstat(descriptor).st_mode & 0o777 != mode:  # the umask has taken something away
            os.chmod(path, mode)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _unlink(path: str) -> None:
    with contextlib.suppress(OSError):  # not made, renamed by now, or gone with the directory; the rest is swept away
        os.unlink(path)
