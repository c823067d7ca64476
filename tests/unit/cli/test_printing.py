"""Nothing but the command line prints."""

from __future__ import annotations

import ast
import os
from pathlib import Path

import machine

ROOT = Path(machine.__file__).parent
# The agent stands alone and speaks on its own stdout.
MAY_PRINT = ("cli/", "hot.py", "agent/")


def printing(source: str) -> list[str]:
    """What in a module's source writes to the terminal."""
    found: list[tuple[int, str]] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
            found.append((node.lineno, "print"))
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            name = f"{node.value.id}.{node.attr}"
            if name in ("sys.stdout", "sys.stderr", "click.echo", "click.secho", "os.system"):
                found.append((node.lineno, name))
    return [f"{name}, line {line}" for line, name in sorted(found)]


def test_nothing_but_the_command_line_prints() -> None:
    found = {}
    for directory, _, names in os.walk(ROOT, followlinks=True):  # drivers are a link in a checkout
        for path in [Path(directory, name) for name in names if name.endswith(".py")]:
            place = path.relative_to(ROOT).as_posix()
            if not place.startswith(MAY_PRINT):
                found[place] = printing(path.read_text())
    assert "drivers/generic.py" in found
    assert "operations/create.py" in found
    assert {place: lines for place, lines in found.items() if lines} == {}


def test_printing_is_noticed() -> None:
    assert printing("import sys\nprint('a')\nsys.stdout.write('b')\nclick.echo('c')") == [
        "print, line 2",
        "sys.stdout, line 3",
        "click.echo, line 4",
    ]
