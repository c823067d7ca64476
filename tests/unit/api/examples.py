"""The examples of ``docs/api.md``: its fenced blocks of Python, each with what it needs and the heading above it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

DOCS = Path(__file__).parents[3] / "docs"
_FENCE = re.compile(r"^```python ?(?P<needs>\S*)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
NEEDS = ("", "machines", "script")


@dataclass(frozen=True)
class Example:
    """One block."""

    heading: str
    needs: str  # machines: real ones; script: it is a whole one; empty: nothing
    code: str

    @property
    def opens(self) -> bool:
        """Whether it opens its own client, on an empty store."""
        return "machine.Client(" in self.code

    def run(self, **names: object) -> dict[str, object]:
        """Run it, with these names."""
        exec(compile(self.code, f"docs/api.md, {self.heading}", "exec"), names)
        return names


def examples() -> list[Example]:
    """All of them, in the order of the document."""
    text = (DOCS / "api.md").read_text()
    found = []
    for match in _FENCE.finditer(text):
        heading = re.findall(r"^## (.*)$", text[: match.start()], re.MULTILINE)[-1]
        found.append(Example(heading, match["needs"], match["code"]))
    return found


def name_of(example: Example) -> str:
    """For the ids of tests."""
    return example.heading.replace(" ", "-")
