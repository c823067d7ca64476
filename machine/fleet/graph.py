"""A picture of a fleet: its groups in layers, each layer above what waits for it. Pure but for the template."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from machine.fleet.model import Fleet
from machine.model import Machine
from machine.templating import render

_WIDTH, _HEIGHT, _GAP, _LAYER, _MARGIN = 190, 74, 34, 70, 24
_COLOURS = {"Running": "#2e7d32", "Stopped": "#757575", "Error": "#c62828", "not there": "#1565c0"}
_OTHER = "#ef6c00"


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """A group in the picture."""

    name: str
    driver: str
    count: int
    states: tuple[tuple[str, int], ...]  # the state, and how many machines are in it
    depends: tuple[str, ...]
    layer: int = 0
    x: int = 0
    y: int = 0

    def said(self) -> str:
        """Its machines in words: ``2 Running, 1 not there``."""
        return ", ".join(f"{count} {state}" for state, count in self.states) or "no machines"


def boxes(fleet: Fleet, machines: Iterable[Machine]) -> list[Box]:
    """The groups of a fleet with their machines' recorded states, laid out in layers."""
    there = {machine.name.casefold(): machine for machine in machines if machine.spec.fleet == fleet.name}
    depends = {group.name: group.depends for group in fleet.groups}
    layers: dict[str, int] = {}

    def layer(name: str) -> int:
        if name not in layers:
            layers[name] = 1 + max((layer(each) for each in depends[name]), default=-1)
        return layers[name]

    found, in_layer = [], Counter[int]()
    for group in fleet.groups:
        states: Counter[str] = Counter()
        for wanted in group.machines:
            machine = there.get(wanted.name.casefold())
            states[str(machine.state) if machine is not None else "not there"] += 1
        at = layer(group.name)
        found.append(
            Box(
                name=group.name,
                driver=", ".join(dict.fromkeys(wanted.driver for wanted in group.machines)),
                count=len(group.machines),
                states=tuple(states.most_common()),
                depends=group.depends,
                layer=at,
                x=_MARGIN + in_layer[at] * (_WIDTH + _GAP),
                y=_MARGIN + at * (_HEIGHT + _LAYER),
            )
        )
        in_layer[at] += 1
    return found


def as_svg(fleet: Fleet, groups: list[Box]) -> str:
    """As a picture that browsers show."""
    by_name = {each.name: each for each in groups}
    lines = [
        {
            "from_x": by_name[name].x + _WIDTH // 2,
            "from_y": by_name[name].y + _HEIGHT,
            "to_x": each.x + _WIDTH // 2,
            "to_y": each.y,
        }
        for each in groups
        for name in each.depends
    ]
    return render(
        "fleet/graph.svg.j2",
        title=fleet.name,
        boxes=groups,
        lines=lines,
        bars={each.name: _bars(each) for each in groups},
        width=max((each.x for each in groups), default=0) + _WIDTH + _MARGIN,
        height=max((each.y for each in groups), default=0) + _HEIGHT + _MARGIN,
        box_width=_WIDTH,
        box_height=_HEIGHT,
    )


def as_dot(fleet: Fleet, groups: list[Box]) -> str:
    """As Graphviz reads it."""
    lines = [f"digraph {_quoted(fleet.name)} {{", "  node [shape=box];"]
    lines += [f"  {_quoted(each.name)} [label={_quoted(f'{each.name}|{each.said()}'.replace('|', chr(10)))}];"
              for each in groups]  # fmt: skip
    lines += [f"  {_quoted(name)} -> {_quoted(each.name)};" for each in groups for name in each.depends]
    return "\n".join([*lines, "}", ""])


def as_mermaid(groups: list[Box]) -> str:
    """As the pages of code forges draw it."""
    ids = {each.name: f"g{number}" for number, each in enumerate(groups)}
    lines = ["flowchart TD"]
    lines += [f'  {ids[each.name]}["{each.name}<br/>{each.said()}"]' for each in groups]
    lines += [f"  {ids[name]} --> {ids[each.name]}" for each in groups for name in each.depends]
    return "\n".join([*lines, ""])


def _bars(box: Box) -> list[tuple[float, float, str]]:
    """Where in a bar each state begins, how wide it is, and its colour."""
    bars, at = [], 0.0
    for state, count in box.states:
        width = (_WIDTH - 20) * count / box.count
        bars.append((round(at, 1), round(width, 1), _COLOURS.get(state, _OTHER)))
        at += width
    return bars


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
