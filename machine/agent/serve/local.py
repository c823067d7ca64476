"""What is asked of the agent itself, under ``/agent/v1``: read only, answered with the engine down or gone."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from machine.agent.facts import host_facts
from machine.agent.version import VERSION

if TYPE_CHECKING:
    from machine.agent.serve.server import Server

_PREFIX = b"/agent/"


def is_ours(target: bytes) -> bool:
    """Whether the agent answers this, and the engine never sees it."""
    return target.startswith(_PREFIX) or target == b"/agent"


def wants_engine_state(target: bytes) -> bool:
    """Whether the answer needs a word from the engine."""
    return _path(target) == b"/agent/v1/health"


def answer(server: Server, method: bytes, target: bytes, engine: str) -> tuple[int, bytes]:
    """Status and JSON body.

    Args:
        server: the `server.Server`.
        method, target: of the request.
        engine: "up", or why not; only looked at where `wants_engine_state`.
    """
    path = _path(target)
    if path not in (b"/agent/v1/health", b"/agent/v1/facts"):
        return 404, message("the agent has no such page")
    if method not in (b"GET", b"HEAD"):
        return 405, message("this can only be read")
    if path == b"/agent/v1/facts":
        return 200, json.dumps(host_facts()).encode()
    return 200, json.dumps(
        {
            "agent": {"version": VERSION, "sha256": server.digest},
            "machine": server.identity.machine,
            "store": server.identity.store,
            "engine": {"state": "up" if engine == "up" else "down", "detail": "" if engine == "up" else engine},
            "now": time.time(),
            "started": server.started,
        }
    ).encode()


def message(text: str) -> bytes:
    """An error as Docker's clients show it."""
    return json.dumps({"message": text}).encode()


def _path(target: bytes) -> bytes:
    return target.partition(b"?")[0]
