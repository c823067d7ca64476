"""The flags that say which engine a machine has and how it is set; the same for every driver."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import click

_FLAGS: tuple[tuple[str, dict[str, Any]], ...] = (
    (
        "--engine-source",
        {
            "metavar": "SOURCE",
            "help": "Where the engine comes from: found (install none), docker (Docker's own packages), distribution, "
            "or auto: as found, else the first of these that works. [env: PYMACHINE_ENGINE_SOURCE; default: auto]",
        },
    ),
    (
        "--engine-version",
        {
            "metavar": "VERSION",
            "help": "Of the engine that is installed, as 24.0.7 or 24.0. One that is there is never replaced. "
            "[env: PYMACHINE_ENGINE_VERSION]",
        },
    ),
    (
        "--engine-repository",
        {
            "metavar": "URL",
            "help": "A mirror of Docker's package repository. [env: PYMACHINE_ENGINE_REPOSITORY]",
        },
    ),
    (
        "--engine-repository-key",
        {
            "metavar": "FINGERPRINT",
            "help": "Of the key that signs it, all 40 digits. [env: PYMACHINE_ENGINE_REPOSITORY_KEY]",
        },
    ),
    (
        "--engine-opt",
        {"metavar": "FLAG[=VALUE]", "multiple": True, "help": "A flag of dockerd, without its dashes; repeatable."},
    ),
    (
        "--engine-label",
        {"metavar": "KEY=VALUE", "multiple": True, "help": "A label of the engine; repeatable."},
    ),
    (
        "--engine-insecure-registry",
        {"metavar": "HOST", "multiple": True, "help": "A registry that is used without TLS; repeatable."},
    ),
    (
        "--engine-registry-mirror",
        {
            "metavar": "URL",
            "multiple": True,
            "help": "A mirror of Docker Hub; repeatable. [env: ENGINE_REGISTRY_MIRROR]",
        },
    ),
    ("--engine-storage-driver", {"metavar": "NAME", "help": "How the engine keeps images and containers."}),
    (
        "--engine-env",
        {"metavar": "NAME=VALUE", "multiple": True, "help": "A variable of the engine's environment; repeatable."},
    ),
    ("--engine-install-url", {"metavar": "URL", "hidden": True, "help": "docker-machine's; see --engine-source."}),
)

_OF_SOURCE = ("--engine-source", "--engine-version", "--engine-repository", "--engine-repository-key")


def engine_flags(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add them to a command."""
    return _added(_FLAGS, function)


def engine_source_flags(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add those that say where an engine comes from, and none that says how it is set."""
    return _added([each for each in _FLAGS if each[0] in _OF_SOURCE], function)


def _added(flags: Sequence[tuple[str, dict[str, Any]]], function: Callable[..., Any]) -> Callable[..., Any]:
    for flag, settings in reversed(flags):
        function = click.option(flag, **settings)(function)
    return function
