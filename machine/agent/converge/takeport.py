"""Where an engine is told to listen on a port, beside daemon.json: the common forms, found and taken out."""

from __future__ import annotations

import os
import re

from machine.agent.host import Host

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_UNITS = "/etc/systemd/system"  # what lies below /lib is the package's, and is not edited
_DEFAULTS = "/etc/default/docker"  # DOCKER_OPTS, which Debian's unit reads


def is_tcp(address: object, port: int) -> bool:
    """Whether this is ``tcp://…:PORT``."""
    return isinstance(address, str) and address.startswith("tcp://") and address.rstrip("/").endswith(f":{port}")


def places(host: Host, port: int) -> Iterator[tuple[str, str, str, str]]:
    """Each file of the host's own that says it: path, new text, and the line before and after."""
    flag = re.compile(
        rf"[ \t]*(?<![\w-])(?:-H|--host)(?:=|[ \t]+)(?P<q>[\"']?)tcp://[^\s\"']*:{port}/?(?P=q)(?=[\s\"'\\]|$)"
    )
    for path in _files(host):
        before = (host.read(host.path(path)) or b"").decode("utf-8", "surrogateescape")
        lines = before.split("\n")
        after = [line if line.lstrip().startswith(("#", ";")) else flag.sub("", line) for line in lines]
        for old, new in zip(lines, after):
            if old != new:
                yield path, "\n".join(after), old.strip(), new.strip()
                break


def _files(host: Host) -> Iterator[str]:
    yield f"{_UNITS}/docker.service"
    directory = f"{_UNITS}/docker.service.d"
    for name in sorted(os.listdir(host.path(directory))) if os.path.isdir(host.path(directory)) else ():
        if name.endswith(".conf"):
            yield f"{directory}/{name}"
    yield _DEFAULTS
