"""Plans in files: made now, looked at, applied later, and refused when anything has changed in between."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from machine.errors import UsageError
from machine.fleet.changes import Plan

SUFFIX = ".plan"
_FORMAT = "pymachine-fleet-plan-1"


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedPlan:
    """What a file with a plan says."""

    fleet: str
    file: str  # the fleet's, absolute
    digest: str
    hosts: bool = False  # whether hosts were asked for it: then they are asked again
    variables: tuple[str, ...] = ()  # the names of those that were given; values may be secrets, and are not kept
    document: Mapping[str, Any] = field(default_factory=dict)


def write_plan(path: str, plan: Plan, variables: Mapping[str, str]) -> None:
    """Write a plan that only its owner can read, whole or not at all.

    Raises:
        UsageError: it cannot be written there.
    """
    document = {"format": _FORMAT, **plan.document(), "variables": sorted(variables)}
    temporary = f"{path}.{os.getpid()}"
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(descriptor, "w", encoding="utf-8") as file:
            json.dump(document, file, indent=2, ensure_ascii=False)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise UsageError(f"cannot write the plan {path}", cause=error.strerror) from error


def read_plan(path: str) -> SavedPlan:
    """
    Raises:
        UsageError: there is none, or it is not a plan.
    """
    try:
        with open(path, encoding="utf-8") as file:
            document = json.load(file)
        if document["format"] != _FORMAT:
            raise ValueError(f"its format is {document['format']!r}")
        return SavedPlan(
            fleet=str(document["fleet"]),
            file=str(document["file"]),
            digest=str(document["digest"]),
            hosts=bool(document.get("hosts", False)),
            variables=tuple(map(str, document["variables"])),
            document=document,
        )
    except FileNotFoundError as error:
        raise UsageError(f"there is no plan {path}", hint=f"make one: pymachine fleet plan --out {path}") from error
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise UsageError(
            f"{path} is not a plan", cause=str(error), hint=f"make one: pymachine fleet plan --out {path}"
        ) from error


def check_not_stale(saved: SavedPlan, plan: Plan, path: str) -> None:
    """
    Raises:
        UsageError: the file, the machines, or what was seen of them is not what the plan was made from.
    """
    if saved.digest == plan.digest:
        return
    was, now = saved.document.get("changes", []), plan.document()["changes"]
    changed = [each["machine"] for each in now if each not in was] + [
        each["machine"] for each in was if each["machine"] not in {one["machine"] for one in now}
    ]
    raise UsageError(
        f"the plan {path} is stale",
        cause=f"otherwise now: {', '.join(dict.fromkeys(changed))}"
        if changed
        else "the fleet's file, or a machine of it, has been changed since",
        hint=f"look again: pymachine fleet plan --out {path} {saved.file}",
    )
