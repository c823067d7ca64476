"""The agent as it travels: one zipapp, built in memory from the installed package, the same bytes for the same code.

It holds ``machine.agent``, h11, and the systemd units of ``templates/agent`` with everything filled in that does not
depend on the host (`machine.agent.converge.service` fills in the rest). So a host that has these bytes has all of it.
"""

from __future__ import annotations

import functools
import hashlib
import io
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

from machine.agent.version import VERSION
from machine.bootstrap.cache import made_of_sources

if TYPE_CHECKING:
    from importlib.abc import Traversable  # its place has moved since; for the type checker only

EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest a zip file can say


@dataclass(frozen=True, slots=True)
class AgentBundle:
    """The agent of this pymachine."""

    sha256: str
    data: bytes
    version: str

    @property
    def offer(self) -> dict[str, object]:
        """What a host is told of it."""
        return {"sha256": self.sha256, "size": len(self.data), "version": self.version}


_one_builds = threading.Lock()  # a cache alone would let each of many threads build it, before the first has


def agent_bundle() -> AgentBundle:
    """Build it, once per process."""
    with _one_builds:
        return _built()


@functools.cache
def _built() -> AgentBundle:
    data = made_of_sources("pyz", _zipped)
    return AgentBundle(sha256=hashlib.sha256(data).hexdigest(), data=data, version=VERSION)


def _zipped() -> bytes:
    import zipfile

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for name, content in sorted(_files()):
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            entry.create_system = 3  # Unix, wherever this is built
            archive.writestr(entry, content)
    return buffer.getvalue()


def _files() -> Iterator[tuple[str, bytes]]:
    from importlib import metadata, resources

    from machine.templating import render

    yield "__main__.py", _text(resources.files("machine.agent").joinpath("start.py"))
    yield "machine/__init__.py", b""
    yield from _modules(resources.files("machine.agent"), "machine/agent/")
    yield from _modules(_h11(), "h11/")
    for path in metadata.files("h11") or ():
        if "LICENSE" in path.name:
            yield "h11/LICENSE.txt", path.read_binary()
    for credentials in (True, False):
        name = "credentials" if credentials else "plain"
        service = render("agent/pymachine-agent.service", credentials=credentials)
        yield f"machine/agent/units/{name}.service", service.encode()
    yield "machine/agent/units/agent.socket", render("agent/pymachine-agent.socket").encode()


def _h11() -> Traversable:
    """Its files, and not by ``resources.files``: that would import it, which takes longer than all of the above."""
    spec = find_spec("h11")
    assert spec is not None  # noqa: S101 - a dependency of ours
    files: Traversable = spec.loader.get_resource_reader("h11").files()  # type: ignore[union-attr]
    return files


def _modules(package: Traversable, prefix: str) -> Iterator[tuple[str, bytes]]:
    for item in package.iterdir():
        if item.is_dir() and item.name != "__pycache__":
            yield from _modules(item, f"{prefix}{item.name}/")
        elif item.name.endswith(".py"):
            yield prefix + item.name, _text(item)


def _text(file: Traversable) -> bytes:
    # Line ends as a checkout on Windows may have them must not make another agent of the same code.
    return file.read_bytes().replace(b"\r\n", b"\n")
