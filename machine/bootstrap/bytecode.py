"""The agent compiled, for the hosts whose Python has the same bytecode as ours: sent beside the bundle, never instead.

A host compiles what it imports, in the converge and at each start of the service: half the time of either. The bundle
stays what the agent is known by; its bytes do not depend on the operator's Python, and these do. How they lie on the
host: `machine.agent.start`.

They are made from the bundle's bytes and not taken from ``__pycache__``, which is as old as two times in whole seconds
and a size say, and names files of the operator's. That takes as long as one host saves, so they are kept in the user's
cache directory, and believed as ``__pycache__`` is: where only this user can have written them.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import io
import marshal
import os
import stat
import sys
import tempfile
import threading
import zipfile
from dataclasses import dataclass

from machine.agent.host import DIRECTORY
from machine.agent.start import intact
from machine.bootstrap.bundle import EPOCH, AgentBundle, agent_bundle
from machine.store.location import cache_directory

_UNCHECKED = (1).to_bytes(4, "little") + bytes(8)  # PEP 552: not compared with a source, and of no date
_KEPT = 8  # of other versions, and other Pythons


@dataclass(frozen=True, slots=True)
class AgentBytecode:
    """The modules of a bundle, for the Pythons of one magic number."""

    magic: str  # hexadecimal
    sha256: str
    data: bytes  # the SHA-256 of the rest, and a zip of .pyc files

    @property
    def offer(self) -> dict[str, object]:
        """What a host is told of it."""
        return {"magic": self.magic, "sha256": self.sha256, "size": len(self.data)}


_one_makes = threading.Lock()  # or each of many threads does, before the first has


def agent_bytecode() -> AgentBytecode:
    """That of this pymachine's agent, found or made once per process."""
    with _one_makes:
        return _found_or_made()


@functools.cache
def _found_or_made() -> AgentBytecode:
    bundle, magic = agent_bundle(), importlib.util.MAGIC_NUMBER.hex()
    name = f"{bundle.sha256}.{magic}.pyc.zip"
    directory = os.path.join(cache_directory(os.environ), "agent")
    data = intact(os.path.join(directory, name)) if _only_ours(directory) else None
    if data is None:
        data = compiled(bundle)
        _keep(directory, name, data)
    return AgentBytecode(magic, hashlib.sha256(data).hexdigest(), data)


def compiled(bundle: AgentBundle) -> bytes:
    """Compile it: with its assertions, whatever this Python was told, and no file of ours named in it."""
    buffer = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(bundle.data)) as sources,
        zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive,
    ):
        for name in sources.namelist():
            if name.endswith(".py") and name != "__main__.py":
                # Named as it is where the service runs it from its source.
                code = compile(sources.read(name), f"{DIRECTORY}/current/{name}", "exec", dont_inherit=True, optimize=0)
                entry = zipfile.ZipInfo(name + "c", EPOCH)
                entry.compress_type = zipfile.ZIP_DEFLATED
                archive.writestr(entry, importlib.util.MAGIC_NUMBER + _UNCHECKED + marshal.dumps(code))
    data = buffer.getvalue()
    return hashlib.sha256(data).digest() + data


def _only_ours(directory: str) -> bool:
    """Whether nobody else can have put something there."""
    try:
        about = os.lstat(directory)
    except OSError:
        return False
    if sys.platform == "win32":
        return True  # it is in the user's profile, which others may not write to
    return stat.S_ISDIR(about.st_mode) and about.st_uid == os.geteuid() and not about.st_mode & 0o022


def _keep(directory: str, name: str, data: bytes) -> None:
    """For the next process; where that cannot be, it makes its own."""
    try:
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
            os.unlink(old.path)
    except OSError:
        pass
