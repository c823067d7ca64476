"""What some drivers add: each protocol is one ability, asked for by having it or by a capability."""

from __future__ import annotations

import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from machine.driver.protocol import Recorder
from machine.model import Instance, Offering


@typing.runtime_checkable
class AccountDriver(Protocol):
    """What a driver adds that asks a provider's account: whom to ask about a machine that exists.

    The request that its ``check`` returns has an ``account``: JSON values without a secret (profile, region, …).
    """

    def sign_in(self, account: Mapping[str, Any], secrets: Mapping[str, str]) -> None:
        """Work for this account from now on; no call is made yet.

        Args:
            account: as the request had it; empty where none was recorded before the process died.
            secrets: the driver's secret options by their names, kept ones or the environment's; one that is nowhere
                is left out.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """Something that the operator's account may not do, and that a machine needs."""

    permission: str  # by the provider's own name: ec2:RunInstances
    needed_for: str  # create, rm, …
    doubt: str = ""  # why it could not be found out; empty: it is missing


@typing.runtime_checkable
class ExplainingDriver(Protocol):
    """What a driver adds that can say beforehand what it would make, as whom, and what it may not do.

    Both are asked after `Driver.check`, of the same object, and have no effect. Where the check was refused the request
    is empty: then they say what can be known without it.
    """

    def explain(self, request: Mapping[str, Any], sources: Mapping[str, str]) -> list[tuple[str, str]]:
        """Facts for people, each a label and its value: who is asked, then what would be made.

        Args:
            request: as ``check`` returned it.
            sources: where each option was said, see `Resolved`.
        """

    def missing_permissions(self, request: Mapping[str, Any]) -> list[Missing]:
        """What the account may not do of all that the life of such a machine needs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What an hour of running costs by the provider's list: without taxes, disks, traffic and one's own discounts."""

    hourly: str | None  # a decimal number; None: not known, and then nothing is guessed
    currency: str = ""  # USD
    why_unknown: str = ""  # one line
    lasts: float = 24 * 3600.0  # seconds for which it, or that it is not known, need not be asked again


@typing.runtime_checkable
class PricingDriver(Protocol):
    """What a driver adds whose provider has a price list: its observations have an ``offering``."""

    def prices(self, offerings: Sequence[Offering]) -> list[Price]:
        """Prices of different offerings, in their order, within a few seconds: what is not known by then is unknown.

        The core asks for an offering once, however many machines have it, and again when the price has lasted.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Baked:
    """An image that was made of a machine, and that others can be made from."""

    driver: str
    id: str  # for `unbake`
    name: str
    token: str  # of the machine that it was made of
    made_at: float  # seconds since the epoch
    about: str = ""  # one line, for people: where it is, for which architecture


@typing.runtime_checkable
class BakingDriver(Protocol):
    """What a driver adds that makes images for ``pymachine bake``; how a create asks for one is its own option.

    Until an image is finished it belongs to the machine it is made of: `Driver.remove` of that removes it, and
    `Driver.find` tells of it, with that machine's token. A finished one is found by `baked` and by nothing else.
    """

    def bake(self, instance: Instance, name: str, token: str, record: Recorder) -> Baked:
        """Make an image of a machine that is stopped, and return when it can be used.

        Args:
            name: what people call it; there may be others of that name, and the newest is meant.
            token: the machine's. The same token twice gives the same image.
        """

    def baked(self, store: str) -> list[Baked]:
        """The finished images of a store, in the account that is signed in to."""

    def unbake(self, id: str, record: Recorder) -> None:
        """Remove an image with all that is part of it; already gone is success.

        Cut off, it is not `baked` any more, and `Driver.find` tells of what is left.
        """


class LocalDriver(Protocol):
    """What a driver for this very computer adds: whether it can work here, before any option is known."""

    def usable_here(self) -> str | None:
        """None when it can; else the reason, one line."""

    def host_changes(self) -> list[str]:
        """What the first machine changes on this computer, one line each; empty when it is there already."""


class FirewallDriver(Protocol):
    """What a driver adds that has ``firewall``."""

    def allow(self, instance: Instance, networks: Sequence[str], record: Recorder) -> list[str]:
        """Let further networks reach SSH and the endpoint; let in already is success.

        Args:
            networks: as ``203.0.113.0/24``; none: the address that the operator has now.

        Returns:
            The networks that are let in by this.

        Raises:
            DriverError: what lets in is not ours to change.
        """


class ResizingDriver(Protocol):
    """What a driver adds that has ``resize``."""

    def resize(self, instance: Instance, options: Any, changed: Sequence[str], record: Recorder) -> None:
        """Make a stopped instance as these options say; it is so already is success.

        Args:
            options: the driver's ``Options``, whole.
            changed: those that are to be another, of ``capabilities.resize``.

        Raises:
            PreCheckFailed: it cannot be so.
            DriverError: it is not stopped.
        """


class AccessDriver(Protocol):
    """What a driver adds that has ``access``."""

    def access(self, instance: Instance, options: Any, changed: Sequence[str]) -> Instance:
        """The same instance, reached as these options say; nobody is asked, and nothing is changed.

        The core tries it before it is recorded, and takes care of host keys and of the machine's own key.

        Args:
            options: the driver's ``Options``, whole.
            changed: those that are to be another, of ``capabilities.access``; all else stays as it is.

        Raises:
            PreCheckFailed, UsageError: it cannot be so.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenEndpoint:
    """An endpoint that is somebody else's; certificates as files on this computer: all three, or none."""

    host: str  # IPv6 without brackets
    port: int
    ca_cert: str | None = None
    client_cert: str | None = None
    client_key: str | None = None


class EndpointDriver(Protocol):
    """What a driver adds that has no ``host``: where the endpoint is."""

    def endpoint(self, instance: Instance) -> GivenEndpoint:
        """The endpoint that was given."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheEntry:
    """Something a driver keeps so that the next machine is made sooner; it can be made again."""

    driver: str
    id: str  # for `drop`
    what: str  # one line, for people
    path: str
    size: int  # bytes it takes up
    made_at: float | None  # seconds since the epoch; None: not known
    machines: tuple[str, ...] = ()  # the names of those that need it
    busy: bool = False  # it is being made, or taken into use, at this moment


@typing.runtime_checkable
class CachingDriver(Protocol):
    """What a driver adds that keeps a cache on this computer."""

    def cached(self) -> list[CacheEntry]:
        """All that is in the cache, also what is half made or left over."""

    def drop(self, id: str) -> bool:
        """Remove an entry, unless something needs it: looked at again under the driver's own lock.

        Returns:
            Whether it is gone; already gone is.
        """
