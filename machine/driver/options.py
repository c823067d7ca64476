"""How a driver declares its options: once, and flags, variables, help and validation derive from it."""

from __future__ import annotations

import dataclasses
import difflib
import functools
import os
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from machine.errors import UsageError

if TYPE_CHECKING:
    from machine.driver.protocol import Driver

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
