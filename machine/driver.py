"""The driver protocol: what a provider must promise, how it declares its options, and how it is found.

A driver knows its provider and nothing else: no SSH session, no certificate, no store, no printing. It is a class
registered under the entry-point group ``pymachine.drivers``; the built-in ones go the same way as a plugin.
Every method can be repeated: it looks first, then does what is missing.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import os
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

from machine.errors import PreCheckFailed, UnknownDriver, UsageError
from machine.model import Instance, Observation, Offering, Spec

ENTRY_POINT_GROUP = "pymachine.drivers"
_METADATA = "pymachine.option"
_KINDS = {str: "a text", int: "a whole number", bool: "true or false", tuple: "a list"}


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionInfo:
    """What is declared once about an option; flags, environment variables, help and validation derive from it."""

    help: str
    env: tuple[str, ...] = ()  # environment variables, first one set wins
    secret: bool = False  # never stored, shown or logged
    required: bool = False
    metavar: str | None = None
    choices: tuple[str, ...] = ()
    parse: Callable[[str], Any] | None = None  # text (of a list: each) -> value; raises ValueError with the reason
    aliases: tuple[str, ...] = ()  # further flags, as docker-machine has them


def option(
    *,
    help: str,
    default: Any = None,
    env: tuple[str, ...] = (),
    secret: bool = False,
    required: bool = False,
    metavar: str | None = None,
    choices: tuple[str, ...] = (),
    parse: Callable[[str], Any] | None = None,
    aliases: tuple[str, ...] = (),
) -> Any:
    """Declare one option of a driver, as the default of a field of its ``Options`` dataclass."""
    info = OptionInfo(
        help=help,
        env=env,
        secret=secret,
        required=required,
        metavar=metavar,
        choices=choices,
        parse=parse,
        aliases=aliases,
    )
    # Not in its repr: a traceback or a log may print that.
    return dataclasses.field(default=default, repr=not secret, metadata={_METADATA: info})


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredOption:
    """One option of one driver, as the faces of pymachine see it."""

    name: str  # the field: ip_address
    flag: str  # --generic-ip-address
    kind: type  # str, int, bool or tuple (of str, repeatable)
    default: Any
    info: OptionInfo


def declared_options(driver: type[Driver] | Driver) -> Iterator[DeclaredOption]:
    """The options of a driver, in the order they were declared."""
    return iter(_declared(driver.name, driver.Options))


@functools.cache  # a fleet asks for each of ten thousand machines, and looking up the hints is nearly all it takes
def _declared(driver: str, options: type) -> tuple[DeclaredOption, ...]:
    hints = typing.get_type_hints(options)
    found = []
    for item in dataclasses.fields(options):
        hint = hints[item.name]
        if typing.get_origin(hint) in (typing.Union, types.UnionType):
            hint = next(part for part in typing.get_args(hint) if part is not type(None))
        kind = typing.get_origin(hint) or hint
        flag = f"--{driver}-{item.name.replace('_', '-')}"
        info = item.metadata[_METADATA]
        found.append(DeclaredOption(name=item.name, flag=flag, kind=kind, default=item.default, info=info))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class Resolved:
    """A driver's options, and where each came from."""

    options: Any  # the driver's Options
    sources: Mapping[str, str]  # option -> the flag, environment variable or file that said it; defaults left out


def resolve_options(
    driver: type[Driver] | Driver, given: Mapping[str, Any], environ: Mapping[str, str] = os.environ
) -> Any:
    """Build a driver's ``Options``; see `resolve`."""
    return resolve(driver, given, environ).options


def resolve(
    driver: type[Driver] | Driver,
    given: Mapping[str, Any],
    environ: Mapping[str, str] = os.environ,
    configured: Mapping[str, Any] | None = None,
    configured_in: str = "the configuration",
) -> Resolved:
    """Build a driver's ``Options`` from what was given, else the environment, else the configuration, else defaults.

    Args:
        configured: the driver's table of the configuration file, and ``configured_in`` that file.

    Raises:
        UsageError: an unknown, mistyped or missing option; it names the flag.
    """
    declared = {item.name: item for item in declared_options(driver)}
    configured = configured or {}
    for name in (*given, *configured):
        if name not in declared:
            close = difflib.get_close_matches(name, declared, n=1)
            hint = f"did you mean {declared[close[0]].flag}?" if close else None
            where = "" if name in given else f"{configured_in}: "
            raise UsageError(f"{where}the driver {driver.name} has no option {name!r}", hint=hint)
    values: dict[str, Any] = {}
    sources: dict[str, str] = {}
    for item in declared.values():
        value, source = given.get(item.name), item.flag
        if value is None or value == ():
            source = next((name for name in item.info.env if environ.get(name)), "")
            value = environ.get(source)
        if value is None and item.name in configured:
            value, source = configured[item.name], configured_in
        if value is None:
            if item.info.required:
                also = f" or set {item.info.env[0]}" if item.info.env else ""
                raise UsageError(
                    f"the driver {driver.name} needs {item.flag}",
                    hint=f"give {item.flag} {item.info.metavar or item.name.upper()}{also}",
                )
            continue
        try:
            values[item.name] = parse_option(item, value)
        except ValueError as error:
            raise UsageError(f"{source}: {error}") from error
        sources[item.name] = source
    return Resolved(driver.Options(**values), sources)


def parse_option(item: DeclaredOption, value: Any) -> Any:
    """One value, from text or as given, in the option's own type.

    Raises:
        ValueError: it cannot be that option's; with the reason.
    """
    if item.kind is tuple:
        parts = value.split(",") if isinstance(value, str) else value
        value = tuple(item.info.parse(part) if item.info.parse is not None else part for part in parts)
    elif item.info.parse is not None and isinstance(value, str):
        value = item.info.parse(value)
    elif item.kind is bool and isinstance(value, str):
        if value.lower() not in ("1", "true", "yes", "on", "0", "false", "no", "off"):
            raise ValueError(f"{value!r} is neither true nor false")
        value = value.lower() in ("1", "true", "yes", "on")
    elif item.kind is int and isinstance(value, str):
        try:
            value = int(value)
        except ValueError:
            raise ValueError(f"{value!r} is not a whole number") from None
    if not isinstance(value, item.kind) or (item.kind is not bool and isinstance(value, bool)):
        raise ValueError(f"{value!r} is not {_KINDS.get(item.kind, item.kind.__name__)}")
    if item.info.choices and value not in item.info.choices:
        close = difflib.get_close_matches(str(value), item.info.choices, n=1)
        hint = f"; did you mean {close[0]}?" if close else ""
        raise ValueError(f"{value!r} is not one of {', '.join(item.info.choices)}{hint}")
    return value


def stored_options(driver: type[Driver] | Driver, options: Any) -> dict[str, Any]:
    """The options as they are kept in a spec: plain JSON values, secrets left out."""
    kept = {}
    for item in declared_options(driver):
        value = getattr(options, item.name)
        if not item.info.secret and value is not None:
            kept[item.name] = list(value) if isinstance(value, tuple) else value
    return kept


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


def driver_names() -> list[str]:
    """The names of all installed drivers, without importing one."""
    return sorted({point.name for point in _entry_points()})


def load_driver(name: str) -> Driver:
    """Import one driver, and only that one.

    Raises:
        UnknownDriver: there is none of this name; close matches are named.
        PreCheckFailed: it is installed and cannot be imported.
    """
    for point in _entry_points():
        if point.name == name:
            try:
                return typing.cast(Driver, point.load()())
            except Exception as error:  # whatever a plugin of somebody else raises
                raise PreCheckFailed(
                    f"the driver {name} cannot be loaded",
                    cause=f"{point.value}: {type(error).__name__}: {error}",
                    hint="install what it needs, or choose another driver: pymachine create --help",
                ) from error
    known = driver_names()
    close = difflib.get_close_matches(name, known, n=3)
    meant = f"did you mean {' or '.join(close)}? " if close else ""
    raise UnknownDriver(f'no driver "{name}"', hint=f"{meant}installed: {', '.join(known) or 'none'}")


def _entry_points() -> typing.Iterable[Any]:
    from importlib.metadata import entry_points  # 50 ms of start-up that only commands with drivers pay

    return entry_points(group=ENTRY_POINT_GROUP)
