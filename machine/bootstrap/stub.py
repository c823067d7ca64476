"""What travels before the agent: a command for any login shell, a stub for any POSIX shell, a loader for Python."""

from __future__ import annotations

import functools
import json
import threading
from collections.abc import Mapping
from importlib import resources

from machine.bootstrap.cache import made_of_sources
from machine.errors import PreCheckFailed

PYTHONS = ("python3", *(f"python3.{minor}" for minor in range(14, 7, -1)), "/usr/libexec/platform-python")
SEARCH_PATH = "/usr/bin:/bin:/usr/sbin:/sbin:/usr/local/bin:/usr/local/sbin"
LOCK_SECONDS = 300
_PROXIES = ("http_proxy", "https_proxy", "no_proxy")
# What the agent needs is imported, not guessed from a version: Debian's python3-minimal has ssl and no json. `_ssl`,
# because `ssl` itself takes 15 ms. Exit codes: see the stub. 9: too old; 74: stdin ended early.
_FIRST_STAGE = (
    "import sys;sys.version_info<(3,8)and sys.exit(9);"
    "import json,select,zlib,hashlib,_ssl,_socket;"
    "n=int(sys.argv[1]);s=sys.stdin.buffer.read(n);len(s)==n or sys.exit(74);"
    'exec(compile(s,"loader","exec"))'
)


_one_renders = threading.Lock()  # or each of many threads does, before the first has


def stub(search_path: str = SEARCH_PATH, pythons: tuple[str, ...] = PYTHONS) -> bytes:
    """The shell script that finds a Python, or installs one."""
    with _one_renders:
        return _rendered(search_path, pythons)


@functools.cache
def _rendered(search_path: str, pythons: tuple[str, ...]) -> bytes:
    if (search_path, pythons) != (SEARCH_PATH, PYTHONS):
        return _made(search_path, pythons)
    return made_of_sources("sh", lambda: _made(search_path, pythons))


def _made(search_path: str, pythons: tuple[str, ...]) -> bytes:
    from machine.templating import render  # and with it jinja2, which takes as long as a login

    text = render(
        "agent/stub.sh",
        search_path=search_path,
        pythons=pythons,
        first_stage=_FIRST_STAGE,
        loader_size=len(loader()),
        lock_seconds=LOCK_SECONDS,
    )
    return text.encode("ascii")


@functools.cache
def loader() -> bytes:
    """The agent's `loader` module, as source."""
    source = resources.files("machine.agent").joinpath("loader.py").read_bytes().replace(b"\r\n", b"\n")
    source.decode("ascii")  # its length in bytes is what the stub is told
    return source


def command(sudo: bool, script: bytes | None = None) -> str:
    """The command line to run on the host: it reads the stub from stdin, byte by byte so as to take no more than that.

    It is the same for every host, holds no secret, and means the same to sh, csh and fish.
    """
    size = len(stub() if script is None else script)
    line = f"sh -c 'eval \"$(dd bs=1 count={size} 2>/dev/null)\"'"
    return f"sudo -n {line}" if sudo else line


def preamble(
    environment: Mapping[str, str], offer: Mapping[str, object], *, may_install: bool, script: bytes | None = None
) -> bytes:
    """All that can be sent before the host has said anything.

    Args:
        environment: proxies for the host's package manager.
        offer: what the loader is told of our agent.
        may_install: whether a missing Python may be installed.

    Raises:
        PreCheckFailed: a value that is not one line.
    """
    lines = ["yes" if may_install else "no"]
    for name in _PROXIES:
        value = environment.get(name) or ""
        if not value.isprintable():
            raise PreCheckFailed(f"the value of {name} has control characters in it")
        lines.append(value)
    head = "".join(f"{line}\n" for line in lines).encode()
    return (stub() if script is None else script) + head + loader() + json.dumps(offer).encode() + b"\n"
