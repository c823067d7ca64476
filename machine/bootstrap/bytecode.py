"""The agent compiled, for the hosts whose Python has the same bytecode as ours: sent beside the bundle, never instead.

A host compiles what it imports, in the converge and at each start of the service: half the time of either. The bundle
stays what the agent is known by; its bytes do not depend on the operator's Python, and these do. How they lie on the
host: `machine.agent.start`.

They are made from the bundle's bytes and not taken from ``__pycache__``, which is as old as two times in whole seconds
and a size say, and names files of the operator's. That takes as long as one host saves, so they are kept
(`machine.bootstrap.cache`).
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
import io
import marshal
import threading
import zipfile
from dataclasses import dataclass

from machine.agent.host import DIRECTORY
from machine.bootstrap.bundle import EPOCH, AgentBundle, agent_bundle
from machine.bootstrap.cache import cached

_UNCHECKED = (1).to_bytes(4, "little") + bytes(8)  # PEP 552: not compared with a source, and of no date


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
    data = cached(f"{bundle.sha256}.{magic}.pyc.zip", lambda: compiled(bundle))
    return AgentBytecode(magic, hashlib.sha256(data).hexdigest(), data)


def compiled(bundle: AgentBundle) -> bytes:
    """A zip of its modules: with their assertions, whatever this Python was told, and no file of ours named in it."""
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
    return buffer.getvalue()
