"""A fleet as it is wanted: what a fleet file says, expanded to machines. Frozen values, no I/O."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple


class Position(NamedTuple):
    """Where something was said, for people: ``fleet.yaml:12:5``. A tuple: a large fleet has a million of them."""

    file: str
    line: int  # from 1
    column: int  # from 1

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True, kw_only=True)
class FileOnHost:
    """A file that shall be on the hosts."""

    source: str  # on the operator's computer, absolute
    target: str  # on the host, absolute
    mode: int = 0o644
    owner: str = "root:root"
    digest: str = ""  # SHA-256 of the content as it was when the fleet file was read
    at: Position | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandOnHost:
    """A shell command that is run on the hosts after their bootstrap, as root."""

    run: str
    # "once": when it has not been run there, or says something else now; "changed": also when a file has changed.
    when: str = "once"
    at: Position | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedMachine:
    """One machine of a fleet."""

    name: str
    group: str
    driver: str
    options: Mapping[str, Any] = field(default_factory=dict)  # of the driver, that were said; fields as in its Options
    # Fields of `machine.model.EngineSpec` that were said. Not in its repr: there may be passwords in it.
    engine: Mapping[str, Any] = field(default_factory=dict, repr=False)
    tls_san: tuple[str, ...] = ()
    host_key_policy: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    files: tuple[FileOnHost, ...] = ()
    commands: tuple[CommandOnHost, ...] = ()
    at: Position | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How carefully a group is made and changed."""

    parallel: int = 32  # machines at once
    max_failures: int = 0  # after more than so many, no further one of the group is begun
    canary: int = 0  # so many are changed first, and looked at, before the others
    batch: int = 0  # then so many at a time, looked at before the next; 0: all
    per_second: float = 0.0  # machines begun per second and provider account; 0: no limit


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Machines that share what is said of them."""

    name: str
    machines: tuple[WantedMachine, ...]
    depends: tuple[str, ...] = ()  # groups that must be there first
    limits: Limits = field(default_factory=Limits)
    at: Position | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """What a fleet file says, with what it includes."""

    name: str
    file: str  # absolute
    groups: tuple[Group, ...]  # in the order of the file; dependencies are among them and make no circle
    warnings: tuple[str, ...] = ()  # one line each, with a position

    def machines(self) -> Iterator[WantedMachine]:
        """All of them, in the order of the file."""
        for group in self.groups:
            yield from group.machines
