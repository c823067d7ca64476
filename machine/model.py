"""The things pymachine speaks of, as frozen values: no I/O, and no import beyond the standard library.

The words are those of the glossary in ``docs/architecture.md``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import Enum
from typing import Any

# docker-machine's rule (commands/create.go), and a length that fits a host name and every provider's tag.
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9\-.]*\Z")
MAX_NAME_LENGTH = 63


def valid_name(name: str) -> bool:
    """Whether a machine may be called this: docker-machine's characters, at most 63 of them."""
    return len(name) <= MAX_NAME_LENGTH and _NAME.match(name) is not None


class State(str, Enum):
    """What a machine is doing, as the provider says or as it was last recorded."""

    CREATING = "Creating"
    STARTING = "Starting"
    RUNNING = "Running"
    STOPPING = "Stopping"
    STOPPED = "Stopped"
    PREEMPTED = "Preempted"
    GONE = "Gone"
    ERROR = "Error"
    UNKNOWN = "Unknown"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How a host is reached over SSH."""

    host: str  # a name or an address, IPv6 without brackets
    port: int | None = 22  # None, and so for the user: as the operator's ssh configuration says
    user: str | None = "root"
    # Where the endpoint is, when `host` is only an alias of the operator's ssh configuration.
    address: str | None = None
    # Public host keys ("ssh-ed25519 AAAA…") the driver put there itself; empty: not known before first contact.
    host_keys: tuple[str, ...] = ()
    # True: the machine's own key is already accepted. False: the operator's keys log in first and introduce it.
    machine_key_installed: bool = True
    # The operator's private key for that first login; a relative path is below the machine's own directory (a key that
    # was taken over). None: what ssh would use (agent, ~/.ssh/config, defaults).
    identity_file: str | None = None
    # The host key the operator vouched for, as "SHA256:…"; checked at first contact when host_keys is empty.
    host_key_fingerprint: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Offering:
    """What a provider bills an instance as, in its own words: all that its price depends on. Empty: not said."""

    type: str = ""  # t3.micro
    region: str = ""
    zone: str = ""  # in that region; only the spot market has a price of its own in each
    market: str = ""  # on-demand, spot
    tenancy: str = ""
    system: str = ""  # where what runs in it is billed with it


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """What a provider made, or the host that was given."""

    driver: str
    id: str  # the provider's own identifier
    access: Access
    # The driver's own notes; JSON values, never a secret.
    data: Mapping[str, Any] = field(default_factory=dict)

    @property
    def address(self) -> str:
        """Where SSH and the endpoint are; IPv6 without brackets."""
        return self.access.address or self.access.host

    @property
    def offering(self) -> Offering | None:
        """What it was billed as when it was made or started last: a driver may keep that as ``data["offering"]``."""
        said = self.data.get("offering")
        if not isinstance(said, Mapping):
            return None
        return Offering(**{each.name: str(said[each.name]) for each in fields(Offering) if each.name in said})


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """A provider's answer about one instance, now."""

    state: State
    address: str | None = None  # None: the provider does not say, or the machine has none
    detail: str = ""  # one line, for people
    offering: Offering | None = None  # what it is billed as now; None: the provider does not say


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineSpec:
    """What is wanted of the engine behind the agent."""

    kind: str = "docker"
    source: str = "auto"  # auto, found, docker (Docker's own packages), distribution
    version: str | None = None  # of what gets installed: 24.0.7, 24.0
    repository: str | None = None  # a mirror of Docker's packages
    repository_key: str | None = None  # the fingerprint of its key
    # Settings, as they were said; dockerd's flags without their dashes.
    options: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    insecure_registries: tuple[str, ...] = ()
    registry_mirrors: tuple[str, ...] = ()
    storage_driver: str | None = None
    environment: tuple[str, ...] = ()  # NAME=VALUE


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """What is wanted of a machine. Holds no secret: a driver's secret options are never put in."""

    name: str
    driver: str
    options: Mapping[str, Any] = field(default_factory=dict)  # the driver's Options, as plain JSON values
    engine: EngineSpec = field(default_factory=EngineSpec)
    tls_san: tuple[str, ...] = ()  # further names and addresses for the server's certificate
    host_key_policy: str = "first-use"  # or "strict"
    labels: Mapping[str, str] = field(default_factory=dict)  # the operator's own words, to choose machines by
    fleet: str = ""  # the fleet that made it and may change it; empty: made by hand
    group: str = ""  # in that fleet
    join: bool = False  # use a host together with the store that owns it
    sources: Mapping[str, str] = field(default_factory=dict)  # option -> the flag, variable or file that said it


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where clients reach the engine."""

    url: str  # tcp://ADDRESS:PORT, IPv6 bracketed
    # direct: our agent's; ssh: the same, and the URL is a tunnel's end on the operator's computer; given: somebody
    # else's; plain: somebody else's without TLS, which nobody asks for anything.
    route: str = "direct"

    @property
    def given(self) -> bool:
        """Whether it is somebody else's: no agent of ours."""
        return self.route in ("given", "plain")

    @property
    def port(self) -> int:
        """The port in the URL."""
        return int(self.url.rpartition(":")[2])


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A row of the store: what the operator owns."""

    id: int
    name: str
    spec: Spec
    state: State
    state_at: float  # seconds since the epoch: when that state was observed or recorded
    instance: Instance | None
    endpoint: Endpoint | None
    created_at: float
    facts: Mapping[str, Any] = field(default_factory=dict)  # what the host said of itself at the last converge
    engine: str | None = None  # "docker 20.10.24"
    port: int | None = None  # of the endpoint, on the host
    error: str | None = None  # one line: why the last operation failed
    account: Mapping[str, Any] = field(default_factory=dict)  # whom its driver asks about it; no secret
    # What a fleet has done on the host beyond our own, see `machine.fleet.workleft`: {"instance": id, "files": {target:
    # "digest mode owner"}, "commands": {digest of the text: that of the files it was run with}}.
    applied: Mapping[str, Any] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """The endpoint's URL; empty while there is none."""
        return self.endpoint.url if self.endpoint else ""

    @property
    def has_host(self) -> bool:
        """Whether there is a host to log in to: of an endpoint that was given alone, no user was ever known."""
        given = self.endpoint is not None and self.endpoint.given
        return not given or (self.instance is not None and self.instance.access.user is not None)

    @property
    def taken_over(self) -> bool:
        """Whether another program made it: its engine is not ours to set, and nobody has vouched for its host key."""
        return self.instance is not None and bool(self.instance.data.get("taken_over"))

    @property
    def address(self) -> str | None:
        """Where the machine is; None while that is not known."""
        return self.instance.address if self.instance else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What a step reports. ``text`` is for people and holds no secret and no control character."""

    machine: str
    operation: str  # create, remove, …
    step: str
    status: str  # begun, progress, done, failed, warning
    text: str = ""
    elapsed: float = 0.0  # seconds since the step began
    at: float = 0.0  # seconds since the epoch
