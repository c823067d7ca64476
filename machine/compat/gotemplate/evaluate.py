"""Nodes over values, as Go's text/template/exec.go walks them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NoReturn

from machine.compat.gotemplate.functions import FUNCTIONS, CallError, call
from machine.compat.gotemplate.nodes import (
    Action,
    Chain,
    Command,
    Constant,
    Control,
    Dot,
    Field,
    Function,
    Operand,
    Part,
    Pipe,
    Text,
    Variable,
)
from machine.compat.gotemplate.parser import parse
from machine.compat.gotemplate.printing import shown
from machine.compat.gotemplate.values import (
    Header,
    Missing,
    Named,
    Struct,
    TemplateError,
    nearest,
    truth,
    type_name,
)

_STEPS = 1_000_000
_CHARACTERS = 16_000_000
_NOTHING_PIPED: Any = object()


class Template:
    """A template that was understood; it can be rendered any number of times.

    Raises:
        TemplateError: it cannot be understood.
    """

    def __init__(self, source: str) -> None:
        self.source = source.encode(errors="replace").decode()  # what no terminal could print is a question mark
        self._parts = parse(self.source, FUNCTIONS)

    def render(self, data: Any, *, note: Callable[[str], None] = lambda text: None) -> str:
        """What the template makes of a value.

        Args:
            data: the dot.
            note: told of every field that was printed and is not there, in one line.

        Raises:
            TemplateError: it asks for what cannot be had.
        """
        run = _Run(self.source, data, note)
        run.walk(self._parts, data)
        return "".join(run.out)


class _Run:
    """One rendering."""

    def __init__(self, source: str, data: Any, note: Callable[[str], None]) -> None:
        self.out: list[str] = []
        self._source = source
        self._note = note
        self._variables: list[tuple[str, Any]] = [("$", data)]
        self._steps = _STEPS
        self._characters = _CHARACTERS

    def walk(self, parts: Sequence[Part], dot: Any) -> None:
        for part in parts:
            if isinstance(part, Text):
                self._print(part.text)
            elif isinstance(part, Action):
                value = self._pipe(dot, part.pipe)
                if not part.pipe.names:
                    self._print_value(value)
            else:
                known = len(self._variables)
                self._control(dot, part)
                del self._variables[known:]

    def _control(self, dot: Any, part: Control) -> None:
        if part.kind == "range":
            self._range(dot, part)
            return
        value = self._pipe(dot, part.pipe)
        if truth(value):
            self.walk(part.then, value if part.kind == "with" else dot)
        else:
            self.walk(part.otherwise, dot)

    def _range(self, dot: Any, part: Control) -> None:
        value = self._pipe(dot, part.pipe)
        names = () if part.pipe.assigns else part.pipe.names
        if isinstance(value, Mapping):
            pairs = [(key, value[key]) for key in sorted(value, key=str)]
        elif isinstance(value, (list, tuple)):
            pairs = list(enumerate(value))
        elif isinstance(value, Header):
            pairs = [(0, value)]
        elif value is None or isinstance(value, Missing):
            pairs = []
        else:
            self._fail(part.pipe, f"range can't iterate over {shown(value)}")
        known = len(self._variables)
        for key, element in pairs:
            if len(part.pipe.names) == 1:
                self._set(part.pipe.names[0], element, declare=bool(names))
            elif part.pipe.names:
                self._set(part.pipe.names[0], key, declare=bool(names))
                self._set(part.pipe.names[1], element, declare=bool(names))
            self._spend(part.pipe)
            self.walk(part.then, element)
            del self._variables[known:]
        if not pairs:
            self.walk(part.otherwise, dot)

    def _pipe(self, dot: Any, pipe: Pipe) -> Any:
        value = _NOTHING_PIPED
        for command in pipe.commands:
            value = self._command(dot, command, value)
        for name in pipe.names:
            self._set(name, value, declare=not pipe.assigns)
        return value

    def _set(self, name: str, value: Any, *, declare: bool) -> None:
        if not declare:
            for place in range(len(self._variables) - 1, -1, -1):
                if self._variables[place][0] == name:
                    self._variables[place] = (name, value)
                    return
        self._variables.append((name, value))

    def _command(self, dot: Any, command: Command, piped: Any) -> Any:
        first = command.words[0]
        self._spend(first)
        if isinstance(first, Function):
            return self._call(dot, command, first, piped)
        has_arguments = len(command.words) > 1 or piped is not _NOTHING_PIPED
        if has_arguments and isinstance(first, (Field, Chain, Variable)) and first.names:
            self._fail(first, f"{first.names[-1]} is not a method but has arguments")
        if has_arguments:
            self._fail(first, f"can't give argument to non-function {first}")
        if isinstance(first, Constant) and first.value is None:
            self._fail(first, "nil is not a command")
        return self._operand(dot, first)

    def _call(self, dot: Any, command: Command, function: Function, piped: Any) -> Any:
        words = command.words[1:]
        if function.name in ("and", "or") and (words or piped is not _NOTHING_PIPED):  # as far as it takes
            value = None
            for word in words:
                value = self._operand(dot, word)
                if truth(value) != (function.name == "and"):
                    return value
            return value if piped is _NOTHING_PIPED else piped
        arguments = [self._operand(dot, word) for word in words]
        if piped is not _NOTHING_PIPED:
            arguments.append(piped)
        try:
            value = call(function.name, arguments)
        except CallError as error:
            self._fail(function if error.about_count else command, str(error))
        if isinstance(value, str):
            self._spend_characters(len(value))
        return value

    def _operand(self, dot: Any, node: Operand) -> Any:
        self._spend(node)
        if isinstance(node, Constant):
            return node.value
        if isinstance(node, Dot):
            return dot
        if isinstance(node, Field):
            return self._fields(node, dot, node.names)
        if isinstance(node, Variable):
            value = next(value for name, value in reversed(self._variables) if name == node.name)
            return self._fields(node, value, node.names)
        if isinstance(node, Chain):
            return self._fields(node, self._operand(dot, node.inner), node.names)
        if isinstance(node, Pipe):
            known = len(self._variables)
            value = self._pipe(dot, node)
            del self._variables[known:]
            return value
        return self._call(dot, Command(node.at, (node,)), node, _NOTHING_PIPED)

    def _fields(self, node: Field | Variable | Chain, value: Any, names: tuple[str, ...]) -> Any:
        kind = type_name(value)
        path = "" if isinstance(node, Field) else str(node).removesuffix("".join(f".{name}" for name in names))
        for name in names:
            if isinstance(value, Header):
                continue
            if isinstance(value, Missing):
                break
            if value is None:
                self._fail(node, f"nil pointer evaluating interface {{}}.{name}")
            if isinstance(value, Mapping):
                if name not in value:
                    value = Missing(f"{path}.{name}", nearest(name, map(str, value)))
                    break
                value, kind = value[name], "interface {}"
            elif isinstance(value, (Struct, Named)):
                if name not in value.fields:
                    self._unknown_field(node, path, name, value)
                value = value.fields[name]
                kind = type_name(value)
            else:
                self._fail(node, f"can't evaluate field {name} in type {kind}")
            path += f".{name}"
        return value

    def _unknown_field(self, node: Operand, path: str, name: str, value: Struct | Named) -> NoReturn:
        close = nearest(name, value.fields)
        known = "there are: " + " ".join(f"{path}.{each}" for each in value.fields)
        hint = f"did you mean {path}.{close}?" if close else (known if value.fields else None)
        self._fail(node, f"can't evaluate field {name} in type {value.type}", hint)

    def _print_value(self, value: Any) -> None:
        if isinstance(value, Missing) and value.path:
            close = f"; did you mean {value.path.rpartition('.')[0]}.{value.nearest}?" if value.nearest else ""
            self._note(f"there is no {value.path}{close}")
        self._print("<no value>" if value is None or isinstance(value, Missing) else shown(value))

    def _print(self, text: str) -> None:
        self._spend_characters(len(text))
        self.out.append(text)

    def _spend(self, node: Operand) -> None:
        self._steps -= 1
        if self._steps < 0:
            self._fail(node, f"given up after {_STEPS} steps")

    def _spend_characters(self, number: int) -> None:
        self._characters -= number
        if self._characters < 0:
            raise TemplateError(f"template: given up after {_CHARACTERS} characters")

    def _fail(self, node: Operand | Command, message: str, hint: str | None = None) -> NoReturn:
        line = self._source.count("\n", 0, node.at) + 1
        column = node.at - (self._source.rfind("\n", 0, node.at) + 1)
        context = str(node)
        context = context if len(context) <= 20 else context[:20] + "..."
        raise TemplateError(f'template: :{line}:{column}: executing "" at <{context}>: {message}', hint=hint)
