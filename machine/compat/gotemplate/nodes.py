"""The parts of a template; ``str()`` of one is what Go shows of it in an error."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias


@dataclass(frozen=True, slots=True)
class Dot:
    """``.``"""

    at: int

    def __str__(self) -> str:
        return "."


@dataclass(frozen=True, slots=True)
class Constant:
    """A number, text, truth value or ``nil``, as it was written."""

    at: int
    value: Any
    source: str

    def __str__(self) -> str:
        return self.source


@dataclass(frozen=True, slots=True)
class Field:
    """``.A.B``"""

    at: int
    names: tuple[str, ...]

    def __str__(self) -> str:
        return "".join(f".{name}" for name in self.names)


@dataclass(frozen=True, slots=True)
class Variable:
    """``$x`` or ``$x.A.B``"""

    at: int
    name: str
    names: tuple[str, ...] = ()

    def __str__(self) -> str:
        return self.name + "".join(f".{name}" for name in self.names)


@dataclass(frozen=True, slots=True)
class Chain:
    """``(pipeline).A.B``"""

    at: int
    inner: Operand
    names: tuple[str, ...]

    def __str__(self) -> str:
        inner = f"({self.inner})" if isinstance(self.inner, Pipe) else str(self.inner)
        return inner + "".join(f".{name}" for name in self.names)


@dataclass(frozen=True, slots=True)
class Function:
    """The name of one."""

    at: int
    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class Command:
    """``function argument …``, or a single operand."""

    at: int
    words: tuple[Operand, ...]

    def __str__(self) -> str:
        return " ".join(f"({word})" if isinstance(word, Pipe) else str(word) for word in self.words)


@dataclass(frozen=True, slots=True)
class Pipe:
    """``$x := command | command``"""

    at: int
    names: tuple[str, ...]  # the variables it sets
    assigns: bool  # to ones that are there already
    commands: tuple[Command, ...]

    def __str__(self) -> str:
        to = f"{', '.join(self.names)} {'=' if self.assigns else ':='} " if self.names else ""
        return to + " | ".join(map(str, self.commands))


Operand: TypeAlias = "Dot | Constant | Field | Variable | Chain | Function | Pipe"


@dataclass(frozen=True, slots=True)
class Text:
    """What is printed as it stands."""

    text: str


@dataclass(frozen=True, slots=True)
class Action:
    """``{{pipeline}}``"""

    pipe: Pipe


@dataclass(frozen=True, slots=True)
class Control:
    """``{{if …}} … {{else}} … {{end}}``, and the same with range or with."""

    kind: str
    pipe: Pipe
    then: tuple[Part, ...]
    otherwise: tuple[Part, ...]


Part: TypeAlias = Text | Action | Control
