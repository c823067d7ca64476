"""A host as it was seen, compared with how it was left. Pure.

A file's state as the host says it is one line: ``missing``; ``other``, which is no file; ``unread``; or its digest, and
``MODE:UID:GID:USER:GROUP``. What is on a host that we have not put there is the host's own business.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from machine.errors import PymachineError

SETTINGS = "/etc/docker/daemon.json"
ENVIRONMENT = "/etc/systemd/system/docker.service.d/50-pymachine.conf"
_STORAGE = "storage-driver"


@dataclass(frozen=True, slots=True, kw_only=True)
class HostSeen:
    """What a host said; nothing at all where it could not be asked."""

    files: Mapping[str, str] = field(default_factory=dict)  # target -> its state, of those that are recorded
    engine: tuple[str, ...] = ()  # settings that are not as they were left, in words
    error: PymachineError | None = None  # why it could not be asked: then nothing is known

    def digest(self) -> list[Any]:
        """All that a plan is made from, for JSON."""
        return [sorted(self.files.items()), list(self.engine), self.error is None]


def changed_files(recorded: Mapping[str, str], seen: HostSeen) -> dict[str, tuple[str, ...]]:
    """The files that are not as they were put on a host, and what is otherwise, in words.

    Args:
        recorded: target -> ``DIGEST MODE OWNER``, see `workleft.file_state`.
    """
    found = {target: _file(target, state, seen.files.get(target, "")) for target, state in recorded.items()}
    return {target: lines for target, lines in found.items() if lines}


def _file(target: str, recorded: str, seen: str) -> tuple[str, ...]:
    if seen in ("", "unread"):
        return ()  # nobody knows
    if seen == "missing":
        return (f"{target} was removed on the host",)
    if seen == "other":
        return (f"{target} is no file any more on the host",)
    (digest, mode, owner), (is_digest, _, rest) = recorded.split(" "), seen.partition(" ")
    is_mode, uid, gid, user, group = rest.split(":")
    found = []
    if is_digest != digest:
        found.append(f"{target} was changed on the host")
    if int(is_mode, 8) != int(mode, 8):
        found.append(f"{target} has the mode {int(is_mode, 8):04o} on the host, not {mode}")
    wanted_user, _, wanted_group = owner.partition(":")
    if wanted_user not in (user, uid) or (wanted_group and wanted_group not in (group, gid)):
        found.append(f"{target} belongs to {user}:{group} on the host, not to {owner}")
    return tuple(found)


def changed_settings(wanted: Mapping[str, Any], text: str, storage: str) -> list[str]:
    """Settings that the engine's file does not have.

    Args:
        wanted: keys of daemon.json.
        text: of that file; empty: it is not there.
        storage: the storage driver that the engine uses; empty: it does not say. One that uses the wanted one anyway
            need not be told to.
    """
    if not wanted:
        return []
    try:
        there = json.loads(text) if text.strip() else {}
        if not isinstance(there, dict):
            raise ValueError("not an object")
    except ValueError:
        return [f"{SETTINGS} cannot be understood on the host"]
    found = []
    for key, value in wanted.items():
        if _has(there.get(key), value) or (key == _STORAGE and storage in ("", value)):
            continue
        found.append(f"{SETTINGS}: {key} was {'changed' if key in there else 'removed'} on the host")
    return found


def changed_environment(wanted: Mapping[str, str], text: str) -> list[str]:
    """Variables that the engine's drop-in does not give it; their values are nobody's business.

    Args:
        text: of the drop-in, as the agent writes it.
    """
    there = dict(
        line.removeprefix('Environment="').removesuffix('"').partition("=")[::2]
        for line in text.splitlines()
        if line.startswith('Environment="')
    )
    return [
        f"{ENVIRONMENT}: {name} was {'changed' if name in there else 'removed'} on the host"
        for name, value in wanted.items()
        if there.get(name) != value.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    ]


def _has(there: Any, wanted: Any) -> bool:
    """Whether what is wanted is among what is there."""
    if isinstance(wanted, dict):
        return isinstance(there, dict) and all(_has(there.get(key), value) for key, value in wanted.items())
    if isinstance(wanted, list):
        return isinstance(there, list) and all(each in there for each in wanted)
    return bool(there == wanted)
