"""The JSON Schema of fleet files, for editors and for `machine.fleet.validate`: one description for both.

The options of drivers derive from what each declares. Every value may be a text, for it may be ``${a variable}``; what
a driver's own parser says of it comes after that.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from machine.driver import DeclaredOption, Driver, declared_options, driver_names, load_driver
from machine.errors import PymachineError
from machine.fleet.merge import ADD
from machine.model import EngineSpec
from machine.operations.enginesettings import FIELDS, SOURCES
from machine.operations.wanted import HOST_KEY_POLICIES

DIALECT = "https://json-schema.org/draft/2020-12/schema"
WHEN = ("once", "changed")
# A key of VS Code's: what is said where a pattern does not fit.
REASON = "patternErrorMessage"
MOST = 100_000  # machines of a group: a digit too many is told of before memory is full
OPTIONS_OF = "options of the driver "
VARIABLE = r"^\$\{"  # the only text that may stand where a number belongs
_FLAG = "--engine-"
_KINDS: dict[type, list[str]] = {
    str: ["string", "number"],
    int: ["integer", "string"],
    float: ["number", "string"],
    bool: ["boolean", "string"],
    tuple: ["array", "string", "number"],
}
_ENGINE = {
    "source": "Where the engine comes from: found (install none), docker, distribution or auto.",
    "version": "Of the engine that is installed, as 24.0.7 or 24.0; one that is there is never replaced.",
    "repository": "A mirror of Docker's package repository.",
    "repository-key": "The fingerprint of the key that signs it, all 40 digits.",
    "opt": "Flags of dockerd, without their dashes: live-restore, log-driver=journald.",
    "label": "Labels of the engine, KEY=VALUE.",
    "insecure-registry": "Registries that are used without TLS.",
    "registry-mirror": "Mirrors of Docker Hub.",
    "storage-driver": "How the engine keeps images and containers.",
    "env": "Variables of the engine's environment, NAME=VALUE.",
}
# Python takes `$` for the place before a last line end as well, and editors do not.
_END = r"$(?!\n)"
_NAME = rf"^[A-Za-z_][A-Za-z0-9_-]*{_END}"
_LABEL = r"^[A-Za-z0-9][A-Za-z0-9._/-]{0,62}" + _END


def engine_fields() -> dict[str, tuple[str, bool]]:
    """What can be said of an engine: the field of `EngineSpec`, and whether it is a list."""
    plain = EngineSpec()
    return {
        flag.removeprefix(_FLAG): (name, isinstance(getattr(plain, name), tuple)) for name, (flag, _) in FIELDS.items()
    }


def option_key(item: DeclaredOption) -> str:
    """A driver's option as a fleet file writes it: ``instance-type``."""
    return item.name.replace("_", "-")


def fleet_schema() -> dict[str, Any]:
    """The schema for editors, with the options of every driver that is installed and can be loaded."""
    drivers = []
    for name in driver_names():
        try:
            drivers.append(load_driver(name))
        except PymachineError:  # a plugin that is broken: its options are not known, and the rest is
            continue
    return document_schema(drivers)


def document_schema(drivers: Iterable[Driver]) -> dict[str, Any]:
    """The schema of a fleet file, with the options of these drivers."""
    drivers = list(drivers)
    in_group = {each.name: {"$ref": f"#/$defs/of-{each.name}"} for each in drivers}
    return {
        "$schema": DIALECT,
        "title": "a fleet file",
        "description": "Which machines there shall be; see docs/fleet.md of pymachine.",
        "type": "object",
        "properties": {
            "fleet": {"type": "string", "description": "The fleet's name: machines are marked with it."},
            "include": _several("Files whose content is laid under this one's, relative to it."),
            "variables": {"$ref": "#/$defs/variables"},
            "defaults": {"$ref": "#/$defs/defaults"},
            "groups": {
                "title": "groups",
                "description": "Machines that share what is said of them, by the group's name.",
                "type": ["object", "null"],
                "additionalProperties": {"$ref": "#/$defs/group"},
            },
        },
        "patternProperties": {"^x-": {"description": "Not read: a place for anchors."}},
        "additionalProperties": False,
        "allOf": [_by_default(name, reference) for name, reference in in_group.items()],
        "$defs": {
            "variables": _variables(),
            "engine": _engine(),
            "labels": _labels(),
            "limits": _limits(),
            "file": _file(),
            "command": _command(),
            "defaults": _section("defaults", {**_common(), **_of_groups()}),
            "group": {
                **_section("a group", {**_common(), **_of_groups(), **_of_one_group()}),
                "allOf": [_by_own(name, reference) for name, reference in in_group.items()],
            },
            "machine": _section("a machine", _common()),
            **{f"options-{each.name}": _options(each) for each in drivers},
            **{f"of-{each.name}": _of_driver(each.name) for each in drivers},
        },
    }


def _section(title: str, properties: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """A mapping with these keys and no others; lists can be added to what is inherited."""
    keys = dict(properties)
    for key, schema in properties.items():
        if "array" in schema.get("type", ()):
            keys[key + ADD] = {**schema, "description": f"Added to the {key} that are inherited."}
    return {"title": title, "type": ["object", "null"], "properties": keys, "additionalProperties": False, **more}


def _several(text: str) -> dict[str, Any]:
    return {"description": text, "type": ["array", "string", "null"], "items": {"type": "string"}}


def _number(text: str, least: int, kind: str = "integer") -> dict[str, Any]:
    """A number, or a variable for one."""
    return {"description": text, "type": [kind, "string"], "minimum": least, "pattern": VARIABLE}


def _common() -> dict[str, Any]:
    """What can be said of all groups, of one, and of a machine."""
    return {
        "options": {"title": "options", "description": "Of the driver.", "type": ["object", "null"]},
        "engine": {"$ref": "#/$defs/engine"},
        "labels": {"$ref": "#/$defs/labels"},
        "tls-san": _several("Further names and addresses for the endpoint's certificate."),
        "host-key-policy": {
            "description": "What is done at the first contact with a host whose SSH key is not known.",
            "type": ["string", "null"],
            **_choices(HOST_KEY_POLICIES),
        },
        "files": {
            "description": "Files that shall be on the hosts.",
            "type": ["array", "null"],
            "items": {"$ref": "#/$defs/file"},
        },
        "commands": {
            "description": "Shell commands that are run on the hosts after their bootstrap, as root, in this order.",
            "type": ["array", "null"],
            "items": {"$ref": "#/$defs/command"},
        },
    }


def _of_groups() -> dict[str, Any]:
    return {
        "driver": {
            "description": "Who makes the hosts, or is given them.",
            "type": "string",
            **_choices(driver_names()),
        },
        "name": {
            "description": "What machines are called; {number} can have a width: {group}-{number:02}. "
            "Default: {group}-{number}",
            "type": "string",
        },
        "limits": {"$ref": "#/$defs/limits"},
    }


def _of_one_group() -> dict[str, Any]:
    return {
        "count": {
            **_number("How many machines. Default: as many as there are under machines, else 1.", 0),
            "maximum": MOST,
        },
        "depends": _several("Groups that must be there before this one is begun."),
        "machines": {
            "title": "machines",
            "description": "What differs for one of them, by its name or number; without count: all there are.",
            "type": ["object", "null"],
            "additionalProperties": {"$ref": "#/$defs/machine"},
        },
    }


def _variables() -> dict[str, Any]:
    return {
        "title": "variables",
        "description": "Put into texts as ${name}.",
        "type": ["object", "null"],
        "propertyNames": {
            "pattern": _NAME,
            REASON: "a variable's name has letters, digits, _ and -, and begins with a letter",
        },
        "additionalProperties": {
            "title": "a variable",
            "type": ["string", "number", "boolean", "object", "null"],
            "properties": {
                "env": {
                    "type": "string",
                    "description": "The environment variable that has the value.",
                    "pattern": f"^[A-Za-z_][A-Za-z0-9_]*{_END}",
                    REASON: "an environment variable's name has letters, digits and _",
                },
                "default": {
                    "type": ["string", "number", "boolean"],
                    "description": "The value where it is not set.",
                },
                "secret": {"type": "boolean", "description": "Never shown or stored; for an engine's settings."},
                "description": {"type": "string"},
            },
            "additionalProperties": False,
        },
    }


def _engine() -> dict[str, Any]:
    keys = {}
    for key, (_, several) in engine_fields().items():
        about = _ENGINE.get(key, f"As create {_FLAG}{key}.")
        keys[key] = _several(about) if several else {"type": ["string", "number", "null"], "description": about}
    keys["source"].update(_choices(SOURCES))
    return _section("the engine's settings", keys, description="The same as the flags --engine-… of create.")


def _labels() -> dict[str, Any]:
    return {
        "title": "labels",
        "description": "Words of your own, to choose machines by.",
        "type": ["object", "null"],
        "propertyNames": {
            "pattern": _LABEL,
            REASON: "a label's name has letters, digits, and . _ / - between them, at most 63",
        },
        "additionalProperties": {"type": ["string", "number", "boolean", "null"]},
    }


def _limits() -> dict[str, Any]:
    return _section(
        "limits",
        {
            "parallel": _number("Machines at once. Default: 32", 1),
            "max-failures": _number("After more than so many, no further machine of the group is begun. Default: 0", 0),
            "canary": _number("So many are changed first, and looked at, before the others. Default: 0", 0),
            "batch": _number("Then so many at a time, looked at before the next. Default: 0, all", 0),
            "per-second": _number("Machines begun per second and account. Default: 0, no limit", 0, "number"),
        },
        description="How carefully a group is made and changed.",
    )


def _file() -> dict[str, Any]:
    return {
        "title": "a file",
        "type": "object",
        "required": ["source", "target"],
        "properties": {
            "source": {"type": "string", "description": "On this computer, relative to the fleet file."},
            "target": {
                "type": "string",
                "description": "On the host, absolute.",
                "pattern": rf"^(/[^/\u0000-\u001f]+)+{_END}|\$\{{",
                REASON: "target is a file's absolute path on the host, such as /etc/nginx/nginx.conf",
            },
            "mode": {
                "type": ["string", "integer"],
                "description": "Its permissions, in octal: 0644.",
                "pattern": rf"^(0|0o)?[0-7]{{3,4}}{_END}|\$\{{",
                REASON: "mode is octal, such as 0644",
            },
            "owner": {
                "type": "string",
                "description": "USER or USER:GROUP. Default: root:root",
                "pattern": rf"^[A-Za-z0-9_][A-Za-z0-9_.-]*(:[A-Za-z0-9_][A-Za-z0-9_.-]*)?{_END}|\$\{{",
                REASON: "owner is USER or USER:GROUP, such as root:root",
            },
        },
        "additionalProperties": False,
    }


def _command() -> dict[str, Any]:
    return {
        "title": "a command",
        "type": ["string", "object"],
        "required": ["run"],
        "properties": {
            "run": {"type": "string", "description": "For the host's shell, as root."},
            "when": {
                "type": "string",
                "description": "once: when it has not been run there; changed: also when a file has changed.",
                **_choices(WHEN),
            },
        },
        "additionalProperties": False,
    }


def _options(driver: Driver) -> dict[str, Any]:
    keys = {option_key(item): _option(item) for item in declared_options(driver)}
    return _section(OPTIONS_OF + driver.name, keys, description=driver.summary)


def _option(item: DeclaredOption) -> dict[str, Any]:
    kinds = _KINDS.get(item.kind, ["string", "number", "boolean"])
    if item.info.parse is not None and item.kind is not tuple:
        kinds = ["string", "number"]
    schema: dict[str, Any] = {"description": item.info.help, "type": [*kinds, "null"]}
    if item.info.choices and item.kind is str:
        schema.update(_choices(item.info.choices))
    if item.kind is tuple:
        schema["items"] = {"type": ["string", "number"]}
    if item.default is not None and item.default is not dataclasses.MISSING and item.default != ():
        schema["default"] = item.default
    if item.info.secret:
        schema["deprecated"] = True  # editors strike it through
        schema["description"] += " A secret: not in a fleet file."
    return schema


def _choices(choices: Iterable[str]) -> dict[str, Any]:
    """One of these, or a variable."""
    return {"if": {"type": "string", "not": {"pattern": r"\$\{"}}, "then": {"enum": [*choices, None]}}


def _of_driver(name: str) -> dict[str, Any]:
    """A group of this driver, as far as its options go."""
    options = {"$ref": f"#/$defs/options-{name}"}
    return {
        "properties": {
            "options": options,
            "machines": {"additionalProperties": {"properties": {"options": options}}},
        }
    }


def _by_own(name: str, reference: Mapping[str, Any]) -> dict[str, Any]:
    return {"if": _has_driver(name), "then": reference}


def _by_default(name: str, reference: Mapping[str, Any]) -> dict[str, Any]:
    others = {"if": {"type": "object", "not": {"required": ["driver"]}}, "then": reference}
    return {
        "if": {"required": ["defaults"], "properties": {"defaults": _has_driver(name)}},
        "then": {"properties": {"defaults": reference, "groups": {"additionalProperties": others}}},
    }


def _has_driver(name: str) -> dict[str, Any]:
    return {"type": "object", "required": ["driver"], "properties": {"driver": {"const": name}}}
