"""From what was said to a spec: flag, else environment, else ``config.toml``, else default; and which of them won."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from machine.driver import Driver, resolve, stored_options
from machine.errors import UsageError
from machine.model import Spec
from machine.operations.enginesettings import engine_spec
from machine.store.config import Config
from machine.trust.names import check_san

HOST_KEY_POLICIES = ("first-use", "strict")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A machine as it shall be: what is stored, and the driver's options with their secrets."""

    spec: Spec
    options: Any
    sources: Mapping[str, str] = field(default_factory=dict)  # option -> the flag, variable or file that said it


def wanted(
    name: str,
    driver: Driver,
    given: Mapping[str, Any],
    config: Config,
    *,
    tls_san: Sequence[str] = (),
    host_key_policy: str | None = None,
    engine: Mapping[str, Any] = MappingProxyType({}),
    join: bool = False,
    labels: Mapping[str, str] = MappingProxyType({}),
    fleet: str = "",
    group: str = "",
    environ: Mapping[str, str] = os.environ,
) -> Wanted:
    """Build the spec of a machine.

    Args:
        given: the driver's options that were said explicitly.
        tls_san: names for the certificate; none: those of the configuration.
        host_key_policy: None: the configuration's, else "first-use".
        engine: the fields of `EngineSpec` that were said explicitly.
        join: use a host together with the store that owns it.
        labels: the operator's own words.
        fleet, group: of the fleet that makes it; empty: made by hand.

    Raises:
        UsageError: a value that cannot be meant; it names where it was said.
    """
    if join and (driver.capabilities.creates or not driver.capabilities.host):
        raise UsageError(f"--join is for hosts that exist, and the driver {driver.name} is given none")
    resolved = resolve(driver, given, environ, config.drivers.get(driver.name), config.path)
    sources = dict(resolved.sources)
    policy = host_key_policy or config.values.get("host-key-policy") or HOST_KEY_POLICIES[0]
    if policy not in HOST_KEY_POLICIES:
        raise UsageError(f"{config.path}: host-key-policy {policy!r} is not one of {', '.join(HOST_KEY_POLICIES)}")
    if host_key_policy is None and "host-key-policy" in config.values:
        sources["host_key_policy"] = config.path
    names = tls_san or config.values.get("tls-san", ())
    if names and not tls_san:
        sources["tls_san"] = config.path
    engine_wanted, engine_sources = engine_spec(engine, config, environ)
    sources.update(engine_sources)
    spec = Spec(
        name=name,
        driver=driver.name,
        options=stored_options(driver, resolved.options),
        engine=engine_wanted,
        tls_san=tuple(check_san(str(each)) for each in names),
        host_key_policy=policy,
        join=join,
        labels=dict(labels),
        fleet=fleet,
        group=group,
        sources=sources,
    )
    return Wanted(spec, resolved.options, resolved.sources)


def default_driver(config: Config, environ: Mapping[str, str] = os.environ) -> str | None:
    """The driver that is used where none is said: ``MACHINE_DRIVER``, else the configuration's; None: choose one."""
    return environ.get("MACHINE_DRIVER") or config.values.get("driver")


def again(spec: Spec, driver: Driver, kept: Mapping[str, str] = MappingProxyType({})) -> Wanted:
    """What an unfinished create wanted, with the secrets that were kept for it, else those of the environment."""
    return Wanted(spec, resolve(driver, {**spec.options, **kept}).options)
