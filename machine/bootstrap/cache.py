"""The user's cache directory, for what takes long to make of our own files and is the same until they change.

It is believed as ``__pycache__`` is: where only this user can have written it. Each file begins with the SHA-256 of the
rest. Nothing fails for want of it. What is said of a directory here is also asked of those above it, as sshd does: root
under another's home (``sudo -E``) finds nothing there, and leaves nothing that the other could not write to any more.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import stat
import sys
import tempfile
from collections.abc import Callable
from importlib.util import find_spec

from machine.agent.start import intact
from machine.store.location import cache_directory

DIGEST = hashlib.sha256().digest_size
_KEPT = 24  # of other versions, and other Pythons


def cached(name: str, make: Callable[[], bytes]) -> bytes:
    """What was made under this name, or is made now: with the digest in front."""
    directory = os.path.join(cache_directory(os.environ), "agent")
    data = intact(os.path.join(directory, name)) if _only_ours(directory) else None
    if data is None:
        data = sealed(make())
        _keep(directory, name, data)
    return data


def sealed(content: bytes) -> bytes:
    """With its SHA-256 in front, as `machine.agent.start.intact` looks for it."""
    return hashlib.sha256(content).digest() + content


def made_of_sources(kind: str, make: Callable[[], bytes]) -> bytes:
    """What is made of our own files and h11's, once for as long as they are as they are."""
    state = _state_of_sources()
    return cached(f"{state}.{kind}", make)[DIGEST:] if state else make()


@functools.cache
def _state_of_sources() -> str:
    """Another one when a file that travels, or one that makes what travels, was written.

    Empty: they are no files, as in a zip, or are being replaced.
    """
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    spec = find_spec("h11")  # without an import of it, which takes longer than all of this
    places = [os.path.join(package, *each) for each in (("agent",), ("bootstrap",), ("templates", "agent"))]
    places += list(spec.submodule_search_locations or ()) if spec else []
    seen: list[tuple[object, ...]] = []
    try:
        for place in places:
            for at, directories, names in os.walk(place, onerror=_cannot_be_seen):
                directories[:] = sorted(set(directories) - {"__pycache__"})
                for name in sorted(names):
                    about = os.stat(os.path.join(at, name))
                    # The time of change is the kernel's own: unlike that of modification, nobody sets it back.
                    seen.append((at, name, about.st_size, about.st_ino, about.st_mtime_ns, about.st_ctime_ns))
    except OSError:
        return ""
    return hashlib.sha256(repr(seen).encode()).hexdigest()


def _cannot_be_seen(error: OSError) -> None:
    raise error


def _only_ours(directory: str) -> bool:
    """Whether nobody else can have put something there."""
    try:
        about = os.lstat(directory)
    except OSError:
        return False
    if sys.platform == "win32":
        return True  # it is in the user's profile, which others may not write to
    return (
        stat.S_ISDIR(about.st_mode)
        and about.st_uid == os.geteuid()
        and not about.st_mode & 0o022
        and _under_ours(os.path.dirname(directory))
    )


def _under_ours(place: str) -> bool:
    """Whether nobody else can put another directory in the place of one in this one; what is not there yet counts not.

    A group may write there: with a umask of 002 it is the user's own.
    """
    if sys.platform == "win32":
        return True
    place = os.path.realpath(place)
    while True:
        try:
            about = os.stat(place)
        except FileNotFoundError:
            pass
        except OSError:
            return False
        else:
            free = about.st_mode & stat.S_IWOTH and not about.st_mode & stat.S_ISVTX
            if about.st_uid not in (0, os.geteuid()) or free:
                return False
        above = os.path.dirname(place)
        if above == place:
            return True
        place = above


def _keep(directory: str, name: str, data: bytes) -> None:
    """For the next process; where that cannot be, it makes its own."""
    temporary = ""
    try:
        if not _under_ours(os.path.dirname(directory)):
            return
        os.makedirs(os.path.dirname(directory), 0o700, exist_ok=True)
        if not os.path.lexists(directory):
            os.mkdir(directory, 0o700)
        if not _only_ours(directory):
            return
        descriptor, temporary = tempfile.mkstemp(dir=directory)
        with open(descriptor, "wb") as file:
            file.write(data)
        os.replace(temporary, os.path.join(directory, name))
        there = sorted(os.scandir(directory), key=lambda entry: entry.stat().st_mtime)
        for old in there[:-_KEPT]:  # what a killed process has left is among them some day
            with contextlib.suppress(OSError):  # another one does the same, or it is no file
                os.unlink(old.path)
    except OSError:
        with contextlib.suppress(OSError):  # a full disk is not made fuller by each process that finds it so
            os.unlink(temporary)
