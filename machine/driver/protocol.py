"""What every driver promises, and what it is given to work with."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from machine.model import Instance, Observation, Spec


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a driver can do, as data: the core asks this and never a driver's name."""

    stop: bool = False  # start, stop and kill exist
    restart: bool = False
    restarts_itself: bool = False  # only the host can: the operation asks it over SSH
    inject_host_key: bool = False  # the host key is known before the first contact
    creates: bool = True  # makes hosts; False: it is given them
    observes: bool = True  # the provider can say a state; False: the host is all there is
    host: bool = True  # False: there is an endpoint and no host to reach; see `EndpointDriver`
    firewall: bool = False  # who reaches the host is the provider's to say; see `FirewallDriver`
    resize: tuple[str, ...] = ()  # options that can be another on a stopped machine; see `ResizingDriver`
    access: tuple[str, ...] = ()  # options that only say how the same host is reached; see `AccessDriver`
    local_rank: int | None = None  # drivers for this very computer, the best first (lowest); None: not local


class Notes(Protocol):
    """What a driver has learnt about its provider and may want again: JSON values, never a secret."""

    def get(self, key: str, max_age: float) -> Any:
        """What was noted under this key at most ``max_age`` seconds ago; None: nothing."""

    def put(self, key: str, value: Any) -> None:
        """Note it; one that cannot be written is done without."""


class NoNotes:
    """A `Notes` that forgets."""

    def get(self, key: str, max_age: float) -> Any:
        """Nothing."""
        return None

    def put(self, key: str, value: Any) -> None:
        """Forget it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostIdentity:
    """What a new host must be given to be reachable by us and by nobody else. Public halves only."""

    store: str  # the store's id: marks what is made
    authorized_key: str  # the machine's own SSH public key, one OpenSSH line
    notes: Notes = dataclasses.field(default_factory=NoNotes)  # for a check that would ask the same again and again


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A provider's resource that carries our marks."""

    driver: str
    kind: str  # instance, volume, security-group, …
    id: str
    machine: str
    token: str  # of the operation that made it


class Recorder(Protocol):
    """The journal as a driver sees it; the operation that calls a driver hands one in."""

    def resource(self, kind: str, id: str, **data: Any) -> None:
        """Remember, durably and now, that this resource exists (or is about to: ids chosen by us come first)."""

    def progress(self, text: str) -> None:
        """Tell people what is going on; one line."""

    def check(self, waiting_for: str = "") -> None:
        """Raise ``Cancelled`` or ``DeadlineExceeded`` when it is time to stop; every wait calls it, says for what."""

    def recall(self) -> Mapping[str, Any]:
        """The data of the last `resource` of this machine, from whichever attempt; empty when there was none."""

    def keep(self, name: str, make: Callable[[], bytes]) -> bytes:
        """Bytes with secrets in them that a repeated create must have again, to the letter.

        They lie in a file that only its owner can read, until the machine's create has ended well.

        Args:
            name: a word, for the file's name.
            make: called where there are none yet; what it returns is on the disk before this returns.
        """


class Driver(Protocol):
    """What a provider must promise. Errors are ``machine.errors``, an SDK's own are mapped once, with ``from``."""

    name: ClassVar[str]
    summary: ClassVar[str]  # one line for help
    capabilities: ClassVar[Capabilities]
    Options: ClassVar[type]  # a frozen dataclass whose fields are made by `option`

    def check(self, spec: Spec, options: Any, identity: HostIdentity) -> dict[str, Any]:
        """The pre-check, without effect.

        Returns:
            The resolved request, JSON values only: what ``create`` will ask for, the same after a resume.

        Raises:
            PreCheckFailed: it cannot work; names what to change.
        """

    def create(self, request: Mapping[str, Any], token: str, record: Recorder) -> Instance:
        """Make the instance and start it. The same token twice gives the same instance.

        Every id goes to ``record`` before or as it appears, so that a kill at any line leaves nothing unknown.
        """

    def observe(self, instances: Sequence[Instance]) -> list[Observation]:
        """States and addresses of many at once, in their order; what is not there any more is ``Gone``."""

    def start(self, instance: Instance, record: Recorder) -> Instance:
        """Converge to running; already running is success. The address may be a new one."""

    def stop(self, instance: Instance, record: Recorder) -> None:
        """Converge to stopped, in order; already stopped is success."""

    def restart(self, instance: Instance, record: Recorder) -> Instance:
        """Stop in order and start again."""

    def kill(self, instance: Instance, record: Recorder) -> None:
        """Converge to stopped, at once."""

    def remove(self, id: str, data: Mapping[str, Any], record: Recorder) -> None:
        """Remove the instance and all that was made with it; returns when it is gone; already gone is success.

        Takes the recorded id and data and not an ``Instance``: a create that died early has no more than that.
        """

    def find(self, store: str) -> list[Found]:
        """Everything out there with this store's marks."""
