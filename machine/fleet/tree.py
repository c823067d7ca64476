"""YAML as dictionaries and lists that know where each part of them was said.

ruamel.yaml composes the nodes: they have positions for everything, keys and items of lists too, and the text of a
scalar as it was written: a mode of 0644 and a label of 1.10 are what people see. What is not about data (tags, several
documents) is refused: a fleet file says nothing by it.
"""

from __future__ import annotations

from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

from machine.fleet.model import Position
from machine.fleet.problems import Problems

_YAML = "tag:yaml.org,2002:"
_TAGS = ("str", "int", "float", "bool", "null", "timestamp", "merge", "value", "map", "seq")
_LARGEST = 2_000_000  # parts, aliases written out: a file of a kilobyte can say more than fits into memory


class Map(dict[str, Any]):
    """A mapping, with the places of its keys and values."""

    __slots__ = ("at", "keys_at", "texts", "values_at")

    def __init__(self, at: Position) -> None:
        super().__init__()
        self.at = at
        self.keys_at: dict[str, Position] = {}
        self.values_at: dict[str, Position] = {}
        self.texts: dict[str, str] = {}  # of scalars that are no text, as they were written

    def put(self, key: str, value: Any, *, key_at: Position, value_at: Position, text: str | None = None) -> None:
        """Say something at a place."""
        self[key], self.keys_at[key], self.values_at[key] = value, key_at, value_at
        self.texts.pop(key, None)
        if text is not None:
            self.texts[key] = text

    def take(self, other: Map, key: str, *, called: str | None = None) -> None:
        """What another mapping says, with its place."""
        self.put(
            called or key,
            other[key],
            key_at=other.keys_at[key],
            value_at=other.values_at[key],
            text=other.texts.get(key),
        )

    def drop(self, key: str) -> None:
        """Say nothing of it any more."""
        for each in (self, self.keys_at, self.values_at, self.texts):
            each.pop(key, None)

    def text(self, key: str) -> str:
        """A scalar as it was written."""
        return self.texts.get(key) or str(self[key])

    def copy(self) -> Map:
        """The same, to be changed."""
        other = Map(self.at)
        other.update(self)
        other.keys_at, other.values_at, other.texts = dict(self.keys_at), dict(self.values_at), dict(self.texts)
        return other

    def section(self, key: str) -> Map:
        """A mapping in it; an empty one where there is none, or something else."""
        value = self.get(key)
        return value if isinstance(value, Map) else Map(self.values_at.get(key, self.at))

    def listed(self, key: str) -> List:
        """A list in it; one that is said as a single value is a list of that."""
        if isinstance(value := self.get(key), List):
            return value
        items = List(self.values_at.get(key, self.at))
        if value is not None:
            items.put(value, at=self.values_at[key], text=self.texts.get(key))
        return items


class List(list[Any]):
    """A list, with the places of its items."""

    __slots__ = ("at", "items_at", "texts")

    def __init__(self, at: Position) -> None:
        super().__init__()
        self.at = at
        self.items_at: list[Position] = []
        self.texts: list[str | None] = []

    def put(self, value: Any, *, at: Position, text: str | None = None) -> None:
        """Add an item."""
        self.append(value)
        self.items_at.append(at)
        self.texts.append(text)

    def text(self, index: int) -> str:
        """An item as it was written."""
        return self.texts[index] or str(self[index])

    def and_also(self, other: List) -> List:
        """A list of the items of both."""
        both = List(other.at)
        for each in (self, other):
            both.extend(each)
            both.items_at += each.items_at
            both.texts += each.texts
        return both


def parse(content: bytes, file: str, problems: Problems) -> Map:
    """A file's content; what is wrong with it goes to ``problems``."""
    start = Position(file, 1, 1)
    tree = _parsed(content, file, start, problems)
    if tree is None:
        problems.unread = True
        return Map(start)
    return tree


def _parsed(content: bytes, file: str, start: Position, problems: Problems) -> Map | None:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start].decode(errors="replace")
        problems.add(_after(before, file), "this is not UTF-8 text")
        return None
    try:
        node = YAML(typ="safe", pure=True).compose(text)
        if node is None:
            return Map(start)
        tree = _Reader(file, problems).value(node)
    except ReaderError as error:
        problems.add(
            _after(text[: error.position], file), f"YAML has no such character: U+{_code(error.character):04X}"
        )
        return None
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        at = Position(file, mark.line + 1, mark.column + 1) if mark else start
        problems.add(at, _yaml_reason(error))
        return None
    except YAMLError as error:
        problems.add(start, f"this is no YAML: {error}")
        return None
    except RecursionError:
        problems.add(start, "this is nested too deeply for a fleet")
        return None
    if not isinstance(tree, Map):
        problems.add(_at(node, file), "a fleet file is a mapping: fleet: NAME, groups: …")
        return None
    return tree


def scalar(text: str) -> Any:
    """What a text means where YAML has it without quotes: a number, true, false, or itself."""
    if text in ("true", "false"):
        return text == "true"
    if text.isascii() and text.removeprefix("-").isdigit():
        return int(text)
    return text


class _Reader:
    def __init__(self, file: str, problems: Problems) -> None:
        self._file, self._problems = file, problems
        self._done: dict[int, tuple[Any, int]] = {}  # by node: its value, and of how many parts it is
        self._open: set[int] = set()

    def value(self, node: Node) -> Any:
        return self._value(node)[0]

    def _value(self, node: Node) -> tuple[Any, int]:
        if id(node) in self._done:  # an alias
            return self._done[id(node)]
        at = _at(node, self._file)
        tag = str(node.tag).removeprefix(_YAML)
        if tag not in _TAGS:
            self._problems.add(at, f"tags such as {tag if tag[0] == '!' else f'!!{tag}'} mean nothing in a fleet file")
        if isinstance(node, ScalarNode):
            value: Any = _scalar(tag, node.value)
            size = 1
        elif id(node) in self._open:
            self._problems.add(at, "this contains itself")
            return None, 1
        else:
            self._open.add(id(node))
            if isinstance(node, SequenceNode):
                value, size = self._list(node, at)
            elif isinstance(node, MappingNode):
                value, size = self._map(node, at)
            self._open.discard(id(node))
        if size > _LARGEST:
            self._problems.add(at, "with its aliases written out this is too much for a fleet")
            value, size = None, 1
        self._done[id(node)] = value, size
        return value, size

    def _list(self, node: SequenceNode, at: Position) -> tuple[List, int]:
        items, size = List(at), 1
        for each in node.value:
            value, parts = self._value(each)
            size += parts
            items.put(value, at=_at(each, self._file), text=_text(each, value))
        return items, size

    def _map(self, node: MappingNode, at: Position) -> tuple[Map, int]:
        items, size = Map(at), 1
        inherited: list[Map] = []
        for key_node, value_node in node.value:
            key_at = _at(key_node, self._file)
            value, parts = self._value(value_node)
            size += parts
            if not isinstance(key_node, ScalarNode):
                self._problems.add(key_at, "a key is a word, not a list or a mapping")
                continue
            key: str = key_node.value
            if key_node.tag == f"{_YAML}merge":  # <<: *alias
                inherited += [each for each in (value if isinstance(value, List) else [value]) if isinstance(each, Map)]
                if not inherited:
                    self._problems.add(key_at, "<<: takes the alias of a mapping, as in <<: *common")
                continue
            if key in items:
                self._problems.add(key_at, f"{key} is said twice; the first is in line {items.keys_at[key].line}")
                continue
            # Where nothing was written, YAML is already at what comes next.
            value_at = key_at if value is None else _at(value_node, self._file)
            items.put(key, value, key_at=key_at, value_at=value_at, text=_text(value_node, value))
        for other in inherited:
            for key in other:
                if key not in items:
                    items.take(other, key)
        return items, size


def _scalar(kind: str, text: str) -> Any:
    if kind == "null":
        return None
    if kind == "bool":
        return text.lower() in ("true", "yes", "on")
    try:
        if kind == "int":
            return int(text.replace("_", ""), 0 if text.lstrip("+-")[:2].lower() in ("0x", "0o", "0b") else 10)
        if kind == "float":
            return float(text.replace("_", ""))
    except ValueError:  # .inf, or 1:30 in YAML 1.1
        pass
    return text


def _at(node: Node, file: str) -> Position:
    return Position(file, node.start_mark.line + 1, node.start_mark.column + 1)


def _text(node: Node, value: Any) -> str | None:
    return node.value if isinstance(node, ScalarNode) and not isinstance(value, str) else None


def _code(character: int | str | bytes) -> int:
    return character if isinstance(character, int) else ord(character)


def _after(text: str, file: str) -> Position:
    lines = text.split("\n")
    return Position(file, len(lines), len(lines[-1]) + 1)


def _yaml_reason(error: MarkedYAMLError) -> str:
    """The parser's own words, with what helps in the cases that people meet."""
    problem = str(error.problem or error.context or "this is no YAML")
    if "'\\t'" in problem:
        return "YAML is indented by spaces, and this is a tab"
    if "mapping values are not allowed" in problem:
        return "this is no YAML: a second `: ` in the line; put the text into quotes"
    if "found another document" in problem:
        return "a fleet file is one YAML document, and here another one begins"
    context = f", {error.context}" if error.context and error.context != problem else ""
    return f"this is no YAML: {problem}{context}"
