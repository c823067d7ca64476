"""The first Python on a host, sent over stdin before the agent: has the host this agent already, and is it intact?

The same of the agent compiled (`machine.agent.start`), which is asked for where the offered one is this Python's.
Runs as ``__main__`` in a bare ``python -I -S``, so it imports nothing of ours. It writes nothing: an agent that comes
over the wire is verified and run from memory; `converge` puts it on disk when it comes to that. Whatever happens, it
ends with a JSON line, and with an exit code that tells the stub that stdin was used (so: no other Python is tried).
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from _frozen_importlib_external import MAGIC_NUMBER  # `importlib.util` takes 1 ms to import

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO

FAILED = 70


def main(source: BinaryIO, sink: BinaryIO) -> int:
    """Read the offer, say hello, get an agent, and hand over to its ``converge``."""
    offer = json.loads(source.readline(1 << 20))
    directory = os.path.join(offer.get("root", "/"), "var/lib/pymachine-agent")
    agents = os.path.join(directory, "agents")
    try:
        with open(os.path.join(directory, "state.json"), "rb") as file:
            current = json.loads(file.read())["agent"]
        kept = numbers(current["version"]) > numbers(offer["version"])  # a newer agent is never flipped back
    except (OSError, ValueError, KeyError, TypeError):
        current, kept = None, False
    wanted = current["sha256"] if kept else offer["sha256"]
    data = verified(os.path.join(agents, wanted + ".pyz"), wanted)
    if data is None and kept:
        wanted, kept = offer["sha256"], False  # the newer one is damaged
        data = verified(os.path.join(agents, wanted + ".pyz"), wanted)
    magic = MAGIC_NUMBER.hex()
    bytecode = sealed(os.path.join(agents, f"{wanted}.{magic}.pyc.zip"))
    offered = offer.get("bytecode") or {}
    lacking = bytecode is None and not kept and offered.get("magic") == magic
    version = ".".join(map(str, sys.version_info[:3]))
    hello = {"hello": 1, "have": data is not None, "kept": current["version"] if kept else None, "python": version}
    hello["bytecode"] = lacking  # true: send it, after the agent if that is sent too
    sink.write(json.dumps(hello).encode() + b"\n")
    sink.flush()
    if data is None:
        data = received(source, offer["size"], wanted)
    if lacking:
        bytecode = received(source, offered["size"], offered["sha256"])
    sys.path.insert(0, in_memory(data))
    if bytecode is not None:
        sys.path.insert(0, in_memory(bytecode))
    from machine.agent.converge.command import run

    return run(source, sink, offer, wanted, data, sys.argv[2:], bytecode)


def received(source: BinaryIO, size: int, digest: str) -> bytes:
    """What the operator sends.

    Raises:
        ValueError: it is not what was offered.
    """
    data = source.read(size)
    if len(data) != size or hashlib.sha256(data).hexdigest() != digest:
        raise ValueError("the agent did not arrive whole")
    return data


def in_memory(data: bytes) -> str:
    """A path for this, as long as we live."""
    descriptor = os.memfd_create("agent", os.MFD_CLOEXEC)
    with open(descriptor, "wb", closefd=False) as file:
        file.write(data)
    return f"/proc/self/fd/{descriptor}"


def sealed(path: str) -> bytes | None:
    """The compiled agent, when it is there and whole: as `machine.agent.start.intact`."""
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError:
        return None
    return data if hashlib.sha256(data[32:]).digest() == data[:32] else None


def verified(path: str, digest: str) -> bytes | None:
    """The agent's bytes, when they are there and are what their name says."""
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError:
        return None
    return data if hashlib.sha256(data).hexdigest() == digest else None


def numbers(version: str) -> list[int]:
    """A version as numbers, to compare."""
    return [int("0" + "".join(filter(str.isdecimal, part))) for part in version.split(".")]


if __name__ == "__main__":
    try:
        code = main(sys.stdin.buffer, sys.stdout.buffer)
    except BaseException as error:  # noqa: BLE001 (said as the last line; nothing may end without one)
        failure = {"code": "agent", "message": "the agent could not be started", "cause": repr(error), "hint": ""}
        sys.stdout.write(json.dumps({"error": failure}) + "\n")
        code = FAILED
    try:
        sys.stdout.flush()
    finally:
        os._exit(code)
