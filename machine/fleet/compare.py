"""How a machine's recorded spec differs from the one that is wanted now, sorted by what that takes. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from machine.driver import Capabilities
from machine.model import Spec
from machine.operations.enginesecrets import taken_out
from machine.operations.log import redacted

# What is said of an engine's package says which one gets installed, and nothing of one that is there.
_INSTALLED = ("kind", "source", "version", "repository", "repository_key")


@dataclass(frozen=True, slots=True, kw_only=True)
class Differences:
    """Reasons in words, by what has to be done about them."""

    replace: tuple[str, ...] = ()
    resize: Mapping[str, str] = field(default_factory=dict)  # option -> its reason
    access: Mapping[str, str] = field(default_factory=dict)  # the same
    host: tuple[str, ...] = ()  # the host must be brought up once more
    record: tuple[str, ...] = ()  # nothing but the record changes


NOTHING = Differences()


def differences(recorded: Spec, wanted: Spec, capabilities: Capabilities) -> Differences:
    """What must change for a machine to be as wanted.

    Args:
        capabilities: of the wanted driver.
    """
    if recorded.driver != wanted.driver:
        return Differences(replace=(_changed("driver", recorded.driver, wanted.driver),))
    replace, resize, access = [], {}, {}
    for name in changed_options(recorded, wanted):
        reason = _changed(name, recorded.options.get(name), wanted.options.get(name))
        where = wanted.sources.get(name, "")
        if where and not where.startswith("-"):
            reason += f" (as {where} says)"
        if name in capabilities.resize:
            resize[name] = reason
        elif name in capabilities.access:
            access[name] = reason
        else:
            replace.append(reason)
    host = [*_engine(recorded, wanted)]
    if recorded.tls_san != wanted.tls_san:
        host.append(_changed("tls-san", ", ".join(recorded.tls_san), ", ".join(wanted.tls_san)))
    record = [
        _changed(f"label {key}", recorded.labels.get(key), wanted.labels.get(key))
        for key in dict.fromkeys((*recorded.labels, *wanted.labels))
        if recorded.labels.get(key) != wanted.labels.get(key)
    ]
    if recorded.group != wanted.group:
        record.append(_changed("group", recorded.group, wanted.group))
    if recorded.host_key_policy != wanted.host_key_policy:
        record.append(_changed("host-key-policy", recorded.host_key_policy, wanted.host_key_policy))
    if not capabilities.host:  # there is nothing to bring up
        record, host = record + host, []
    return Differences(replace=tuple(replace), resize=resize, access=access, host=tuple(host), record=tuple(record))


def changed_options(recorded: Spec, wanted: Spec) -> list[str]:
    """The driver's options that are another now.

    One that nobody said, then as now, is not: its default is another in another version, and no reason to replace a
    machine that works.
    """
    return [
        name
        for name in dict.fromkeys((*recorded.options, *wanted.options))
        if recorded.options.get(name) != wanted.options.get(name)
        and (name in recorded.sources or name in wanted.sources)
    ]


def _engine(recorded: Spec, wanted: Spec) -> list[str]:
    if recorded.engine == wanted.engine:
        return []
    before, after = recorded.engine, taken_out(wanted.engine)[0]
    found = []
    for each in dataclasses.fields(after):
        old, new = getattr(before, each.name), getattr(after, each.name)
        if old == new:
            continue
        reason = _changed(f"engine {each.name.replace('_', '-')}", old, new)
        if each.name in _INSTALLED:
            reason += " (an engine that is there stays: pymachine upgrade)"
        found.append(reason)
    return found


def _changed(what: str, before: Any, after: Any) -> str:
    return redacted(f"{what}: {_shown(before)} → {_shown(after)}")


def _shown(value: Any) -> str:
    if value is None or value in ("", (), []):
        return "(nothing)"
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value))
    return str(value).lower() if isinstance(value, bool) else str(value)
