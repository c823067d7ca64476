"""Flags of docker-machine that have nothing to set any more: each is accepted, and answered for what it is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from machine.compat.names import (
    GLOBALS,
    SWARM_FLAGS,
    SWARM_SWITCHES,
    UNUSED_FLAGS,
    VIRTUALBOX_FLAGS,
    VIRTUALBOX_SWITCHES,
    old_prefixes,
    refuse_swarm,
    virtualbox_variable,
)
from machine.errors import UsageError

if TYPE_CHECKING:
    from machine.api.client import Client
    from machine.driver import Driver

_VIRTUALBOX = "virtualbox"


def swarm_flags(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the flags of the classic Swarm to a command: hidden, and refused when one is given."""
    for flag in (*SWARM_SWITCHES, *SWARM_FLAGS):
        function = click.option(
            flag, is_flag=flag in SWARM_SWITCHES, hidden=True, expose_value=False, callback=_refuse
        )(function)
    return function


def _refuse(ctx: click.Context, parameter: click.Parameter, value: object) -> None:
    if value not in (None, False):
        raise refuse_swarm(parameter.opts[0])


def virtualbox_options(said: str) -> list[click.Option]:
    """The flags that an old tutorial has beside ``-d virtualbox``.

    Args:
        said: the driver; only of virtualbox itself the variables are read, as by docker-machine's.
    """
    return [
        click.Option(
            [f"--{_VIRTUALBOX}-{name}"],
            is_flag=name in VIRTUALBOX_SWITCHES,
            default=None,
            hidden=True,
            envvar=virtualbox_variable(name) if said == _VIRTUALBOX else None,
        )
        for name in VIRTUALBOX_FLAGS
    ]


def unused_options(driver: str, said: str | None) -> list[click.Option]:
    """The flags of a driver's predecessor that have nothing left to do, under both of its names.

    Args:
        said: by which name the driver was meant; only of the old one the variables are read.
    """
    prefixes = (f"--{driver}-", *old_prefixes(driver))
    return [
        click.Option(
            [*(f"{prefix}{each.name}" for prefix in prefixes), _parameter(each.name)],
            is_flag=each.switch,
            default=None,
            hidden=True,
            envvar=(each.variable or None) if said != driver else None,
        )
        for each in UNUSED_FLAGS.get(driver, ())
    ]


def from_old_flags(driver: Driver, parameters: Mapping[str, Any]) -> dict[str, str]:
    """The options of a driver that flags of docker-machine's say; those that say nothing here are named on stderr."""
    ctx = click.get_current_context(silent=True)
    for each in UNUSED_FLAGS.get(driver.name, ()):
        value = parameters.get(_parameter(each.name))
        if value in (None, False, each.default):
            continue
        source = ctx.get_parameter_source(_parameter(each.name)) if ctx else None
        flag = next((f"{prefix}{each.name}" for prefix in old_prefixes(driver.name)), f"--{driver.name}-{each.name}")
        said = each.variable if source is ParameterSource.ENVIRONMENT else flag
        click.echo(f"Not used: {said} ({each.why})", err=True)
    return from_virtualbox(driver, parameters)


def _parameter(name: str) -> str:
    return f"unused_{name.replace('-', '_')}"


def plain_switches(arguments: Sequence[str], options: Iterable[click.Parameter]) -> list[str]:
    """The arguments with ``--switch=true`` as ``--switch`` and without ``--switch=false``, which Go's flags take."""
    switches = {flag for each in options if isinstance(each, click.Option) and each.is_flag for flag in each.opts}
    plain: list[str] = []
    for number, word in enumerate(arguments):
        if word == "--":
            return plain + list(arguments[number:])
        flag, _, value = word.partition("=")
        if flag not in switches or value.lower() not in ("true", "1", "t", "false", "0", "f"):
            plain.append(word)
        elif value.lower() in ("true", "1", "t"):
            plain.append(flag)
    return plain


def from_virtualbox(driver: Driver, parameters: Mapping[str, Any]) -> dict[str, str]:
    """The options of a local driver that say what VirtualBox's flags and variables said; others are named on stderr."""
    from machine.driver import declared_options

    own = {item.name for item in declared_options(driver)}
    values: dict[str, str] = {}
    lost = []
    for name, same in VIRTUALBOX_FLAGS.items():
        value = parameters.get(f"{_VIRTUALBOX}_{name.replace('-', '_')}")
        if value is None or value is False:
            continue
        if same is None or same[0] not in own:
            lost.append(_said_by(name))
        elif value != "-1":  # of its processors: as many as there are
            values[same[0]] = same[1].format(value)
    if lost:
        click.echo(f"Not used, for {driver.name} has nothing like it: {', '.join(lost)}", err=True)
    return values


def _said_by(name: str) -> str:
    """The flag, or the variable, that gave an option of VirtualBox's its value."""
    ctx = click.get_current_context(silent=True)
    source = ctx.get_parameter_source(f"{_VIRTUALBOX}_{name.replace('-', '_')}") if ctx else None
    return virtualbox_variable(name) if source is ParameterSource.ENVIRONMENT else f"--{_VIRTUALBOX}-{name}"


def global_flags(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add docker-machine's flags before the command that are not ours: hidden, and most with nothing left to do."""
    for old in GLOBALS:
        if old.meaning == "same":
            continue
        function = click.option(
            old.flag,
            is_flag=old.flag == "--native-ssh",
            envvar=old.variable,
            hidden=True,
            expose_value=False,
            callback=_remember,
        )(function)
    return function


def _remember(ctx: click.Context, parameter: click.Parameter, value: object) -> None:
    if isinstance(value, str) and value:
        ctx.meta[f"{__name__}{parameter.opts[0]}"] = value


def given_authority(ctx: click.Context, opened: Client) -> None:
    """Make the authority that ``--tls-ca-cert`` and ``--tls-ca-key`` name the store's own, where it has none.

    Raises:
        UsageError: only one of them, no usable authority, or the store has another one already.
    """
    certificate, key, client, client_key = (
        ctx.meta.get(f"{__name__}--tls-{each}") for each in ("ca-cert", "ca-key", "client-cert", "client-key")
    )
    if certificate or key:
        if not (certificate and key):
            missing = "--tls-ca-cert" if key else "--tls-ca-key"
            raise UsageError(f"also needed: {missing}", hint="the authority that signs for machines: both, or none")
        opened.adopt_authority(certificate, key)
    if client or client_key:
        click.echo("Not used: --tls-client-cert, --tls-client-key. Each machine gets a client certificate.", err=True)
