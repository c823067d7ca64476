"""Which machines are meant by what a caller says: one of them, or those that names, patterns and labels choose."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeAlias

from machine.errors import MachineNotFound, UsageError
from machine.model import Machine
from machine.operations.selection import Selector, parse_labels, select

if TYPE_CHECKING:
    from machine.store.store import Store

__all__ = ["Labels", "Names", "Selector", "chosen", "one", "parse_labels"]

Names: TypeAlias = "list[str] | list[Machine] | tuple[str | Machine, ...]"
"""Machines, by themselves, by their names or by patterns: ``["web-1", "db-*"]``. An empty list is no machine."""

Labels: TypeAlias = "Mapping[str, str | None]"
"""Labels that machines must have, with their values; None: whatever the value is."""

_HINT = 'names or patterns in a list, a fleet, a group or labels; all there are: ["*"]'


def one(store: Store, said: str | Machine) -> Machine:
    """The machine that is meant, as it is recorded now.

    Raises:
        MachineNotFound: there is none of this name, or it is another one by now.
        UsageError: it is no name.
    """
    if isinstance(said, Machine):
        found = store.machines.find(said.name)
        # The number may have been given again.
        if found is None or (found.id, found.created_at) != (said.id, said.created_at):
            raise MachineNotFound(f'the machine "{said.name}" is gone', machine=said.name)
        return found
    if not isinstance(said, str):
        raise UsageError(f"{said!r} is no machine's name")
    if any(character in said for character in "*?["):
        raise UsageError(f"{said!r} is a pattern, and may mean many machines", hint=f"in a list: [{said!r}]")
    return store.machines.get(said)


def chosen(
    store: Store,
    names: Names | None,
    fleet: str | None,
    group: str | None,
    labels: Labels | None,
    *,
    all_by_default: bool = False,
    as_they_are: bool = False,
) -> list[Machine]:
    """The machines that are meant, each once: all that is said must hold, and names are alternatives to each other.

    Args:
        all_by_default: where nothing is said, all are meant; else that is an error.
        as_they_are: machines that were given are not read anew; one that is gone by now stops none of the others.

    Raises:
        MachineNotFound: a name is unknown, or nothing is meant by what was said.
        UsageError: nothing was said.
    """
    if names is not None and not isinstance(names, list | tuple):
        raise UsageError(f"{names!r} is no list of machines", hint=_HINT)
    if names is not None and not names:
        return []  # a list that somebody has computed: never all of a fleet
    given = [each for each in names or () if isinstance(each, Machine)]
    if as_they_are and given and len(given) == len(names or ()) and not (fleet or group or labels):
        return list({each.id: each for each in given}.values())
    words = []
    for each in names or ():
        if isinstance(each, Machine):
            each = one(store, each).name
        if not isinstance(each, str):
            raise UsageError(f"{each!r} is no machine's name")
        words.append(each)
    selector = Selector(names=tuple(words), fleet=fleet, group=group, labels=dict(labels or {}))
    if not selector.says_something:
        if all_by_default:
            return store.machines.all()
        raise UsageError("which machines are meant is not said", hint=_HINT)
    return select(store, selector)
