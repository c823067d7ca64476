"""Which group waits for which."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from graphlib import CycleError, TopologicalSorter

from machine.fleet.model import Group, Position
from machine.fleet.problems import Problems, meant


def check_dependencies(groups: Sequence[Group], said: dict[str, dict[str, Position]], problems: Problems) -> None:
    """Whether every group that is waited for is there, and none waits for itself.

    Args:
        said: by group, where each of those it depends on was named.
    """
    known = {group.name: group for group in groups}
    for group in groups:
        for name in group.depends:
            if name not in known:
                others = [each for each in known if each != group.name]
                problems.add(said[group.name][name], f"depends: there is no group {name!r}{meant(name, others)}")
    for circle in _circles(known):
        first, second = circle[0], circle[1]
        problems.add(said[first][second], f"groups wait for each other in a circle: {' → '.join(circle)}")


def _circles(groups: dict[str, Group]) -> Iterator[list[str]]:
    """Each from its first group in the file and back to it."""
    edges = {name: [each for each in group.depends if each in groups] for name, group in groups.items()}
    while True:
        try:
            TopologicalSorter(edges).prepare()
            return
        except CycleError as error:
            circle = error.args[1][:0:-1]  # who is waited for comes first there, and the first is there twice
            begin = min(range(len(circle)), key=lambda index: list(groups).index(circle[index]))
            circle = [*circle[begin:], *circle[:begin]]
            yield [*circle, circle[0]]
            edges[circle[0]].remove([*circle, circle[0]][1])  # there may be others
