"""From ``fleet.yaml`` to a `machine.fleet.model.Fleet`."""

from __future__ import annotations

import contextlib
import gc
import os
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from machine.driver import Driver, driver_names, load_driver
from machine.errors import FleetFileError
from machine.fleet.expand import Expansion
from machine.fleet.formernames import replace_former_drivers
from machine.fleet.include import read
from machine.fleet.model import Fleet
from machine.fleet.names import RULE
from machine.fleet.problems import Problems, shown
from machine.fleet.schema import document_schema
from machine.fleet.suspicious import hide_secrets, warn_of_secrets
from machine.fleet.tree import Map
from machine.fleet.validate import validate
from machine.fleet.variables import SECTION, Variables, refuse_secrets
from machine.model import valid_name

_HINT = "what can be said: docs/fleet.md; for editors: pymachine fleet schema"


def load_fleet(
    path: str, environ: Mapping[str, str] = os.environ, variables: Mapping[str, str] = MappingProxyType({})
) -> Fleet:
    """Read a fleet file with what it includes, check all of it, and expand it to machines. Nothing else is asked.

    Args:
        path: the file, as it is to be named in messages.
        environ: where variables with ``env:`` have their values from.
        variables: those of ``--var``.

    Raises:
        FleetFileError: it cannot be meant; all reasons at once, each with file, line and column.
        UsageError: ``variables`` names one that the file does not have.
        PreCheckFailed: a driver that it names is installed and cannot be loaded.
    """
    with _uncollected():
        return _loaded(path, environ, variables)


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """A large fleet is a million small parts, all of which are kept: the collector would look at them for nothing."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _loaded(path: str, environ: Mapping[str, str], variables: Mapping[str, str]) -> Fleet:
    if not os.path.exists(path):
        raise FleetFileError(f"there is no file {path}", hint="an example to begin with: pymachine fleet init")
    problems = Problems()
    document = read(path, problems)
    if problems.unread:  # half of a fleet would give errors about the other half
        problems.raise_errors()
    _fill_in(document, environ, variables, problems)
    replace_former_drivers(document, problems)
    drivers = _drivers(document)
    schema = document_schema(drivers.values())
    validate(document, schema, problems)
    name = document.get("fleet")
    if name is None:
        problems.add(document.keys_at.get("fleet", document.at), "the fleet has no name: write fleet: NAME")
    elif isinstance(name, str) and not valid_name(name):
        problems.add(document.values_at["fleet"], f"a fleet cannot be called {shown(name)}: {RULE}")
    if "groups" not in document:
        problems.add(document.at, "the fleet has no groups: write groups: and below it what each is called")
    groups = Expansion(document, drivers, problems).groups()
    if problems.found:
        hide_secrets(document, schema, problems)
    problems.raise_errors(_HINT)
    return Fleet(name=str(name), file=os.path.abspath(path), groups=groups, warnings=problems.warnings())


def _fill_in(document: Map, environ: Mapping[str, str], given: Mapping[str, str], problems: Problems) -> None:
    """Put the values of variables for their names."""
    warn_of_secrets(document, problems)  # before they are filled in: only what stands in the file is meant
    known = Variables(document.section(SECTION), given, environ, problems)
    for key in list(document):
        if key != SECTION and not key.startswith("x-"):
            rest = Map(document.at)
            rest.take(document, key)
            known.fill_in(rest)
            if known.secrets:
                refuse_secrets(rest, lambda path: "engine" in path, problems)
            document.take(rest, key)


def _drivers(document: Map) -> dict[str, Driver]:
    """The drivers that are named and installed; of those that are not, the schema tells."""
    sections = [document.section("defaults")]
    sections += [document.section("groups").section(name) for name in document.section("groups")]
    named = {section.get("driver") for section in sections if isinstance(section.get("driver"), str)}
    return {name: load_driver(name) for name in driver_names() if name in named}
