"""What a plan is made of: a change per machine, with its reasons in words. Frozen values, no I/O."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any


class Action(str, Enum):
    """What becomes of a machine."""

    CREATE = "create"
    FINISH = "finish"  # a create that was begun and has not ended well
    UPDATE = "update"  # in place
    REPLACE = "replace"  # removed, and made again under the same name
    REPAIR = "repair"  # nothing else is wanted than what was; it is not there, or does not run
    REMOVE = "remove"
    NONE = "none"

    def __str__(self) -> str:
        return self.value


class Verb(str, Enum):
    """An operation of a machine, as an apply runs it."""

    CREATE = "create"
    REMOVE = "remove"
    START = "start"
    STOP = "stop"
    RESIZE = "resize"
    ACCESS = "access"  # another way to the same host, and then as provision over that
    PROVISION = "provision"  # converge, then files and commands
    RELABEL = "relabel"  # the record alone

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What becomes of one machine, and why."""

    machine: str
    group: str  # of one that is removed: the group it was in
    action: Action
    reasons: tuple[str, ...] = ()
    verbs: tuple[Verb, ...] = ()  # in this order
    resize: Mapping[str, Any] = field(default_factory=dict)  # options for the verb of that name
    access: tuple[str, ...] = ()  # options for the verb of that name
    put_back: tuple[str, ...] = ()  # files that are recorded as done, and are not on the host as they were put there

    @property
    def disturbs(self) -> bool:
        """Whether something that may be in use is changed: this goes by canary and batches."""
        return self.action in (Action.UPDATE, Action.REPLACE) and self.verbs != (Verb.RELABEL,)

    @property
    def destroys(self) -> bool:
        """Whether something goes that is there: this is asked for."""
        return Verb.REMOVE in self.verbs and self.action is not Action.REPAIR

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {
            "machine": self.machine,
            "group": self.group,
            "action": str(self.action),
            "reasons": list(self.reasons),
            "steps": [str(verb) for verb in self.verbs],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What an apply would do; the order is that of the file, what is removed comes last."""

    fleet: str
    file: str
    changes: tuple[Change, ...]  # one for every machine, also where there is nothing to do
    digest: str = ""  # of what it was made from: another one, and the plan is stale
    hosts: bool = False  # whether hosts were asked, too
    # Machines whose hosts were asked and did not say, and why: of these, what is recorded counts.
    unknown: Mapping[str, str] = field(default_factory=dict)

    @property
    def pending(self) -> tuple[Change, ...]:
        """The changes that change something."""
        return tuple(each for each in self.changes if each.action is not Action.NONE)

    def counts(self) -> dict[str, int]:
        """How many machines each action is for; actions that are for none are left out."""
        found = Counter(each.action for each in self.changes)
        return {str(action): found[action] for action in Action if found[action]}

    def document(self) -> dict[str, Any]:
        """As JSON, without what is not to be changed."""
        return {
            "fleet": self.fleet,
            "file": self.file,
            "digest": self.digest,
            "hosts": self.hosts,
            "unknown": dict(self.unknown),
            "counts": self.counts(),
            "changes": [each.document() for each in self.pending],
        }

    def with_digest(self, digest: str) -> Plan:
        """The same, sealed."""
        return dataclasses.replace(self, digest=digest)
