"""A YAML file as a `machine.fleet.tree.Map`: every key, value and item with its place, every scalar as it was written.

A mode of 0644 and a label of 1.10 are what people see. What is not about data (tags, several documents) is refused: a
fleet file says nothing by it. The tree is made of events, not of a YAML library's own nodes: there is one tree less to
make, and how deep and how large it can get is ours to say.
"""

from __future__ import annotations

import math
import re
from typing import Any, NamedTuple

from machine.fleet.model import Position
from machine.fleet.problems import Problems
from machine.fleet.tree import List, Map
from machine.fleet.yamlevents import Next, NotForLibyaml, NotYaml, by_libyaml, by_ruamel

_YAML = "tag:yaml.org,2002:"
_TAGS = ("str", "int", "float", "bool", "null", "timestamp", "merge", "value", "map", "seq")
_LARGEST = 2_000_000  # parts, aliases written out: a file of a kilobyte can say more than fits into memory
_DEEPEST = 100  # parts in each other; a fleet has eight, and what walks through them calls itself
_VERSION = "%YAML"

# What stands without quotes in YAML 1.2, as ruamel.yaml has it: dates are texts to us, and `yes` is one to YAML.
_NULL = frozenset(("", "~", "null", "Null", "NULL"))
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_HALF = re.compile("[\ud800-\udfff]")  # of a character; alone, nothing can write it
_NUMERIC = frozenset("-+.0123456789")
_INT = re.compile(r"[-+]?(?:0b[01_]+|0o?[0-7_]+|[0-9_]+|0x[0-9a-fA-F_]+)")
_FLOAT = re.compile(
    r"[-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+]?[0-9]+)?"
    r"|[-+]?[0-9][0-9_]*[eE][-+]?[0-9]+"
    r"|[-+]?\.[0-9_]+(?:[eE][-+][0-9]+)?"
)


def parse(content: bytes, file: str, problems: Problems) -> Map:
    """A file's content; what is wrong with it goes to ``problems``."""
    start = Position(file, 1, 1)
    tree: Map | None = None
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        lines = content[: error.start].decode(errors="replace").split("\n")
        problems.add(Position(file, len(lines), len(lines[-1]) + 1), "this is not UTF-8 text")
    else:
        try:
            tree = _tree(text, file, problems)
        except NotYaml as error:
            at = Position(file, error.line + 1, error.column + 1) if error.column >= 0 else start
            problems.add(at, error.reason)
    if tree is None:
        problems.unread = True
        return Map(start)
    return tree


def _tree(text: str, file: str, problems: Problems) -> Map | None:
    """The tree of a text.

    Raises:
        NotYaml: it is none.
    """
    _require_our_version(text)

    def make(following: Next) -> tuple[Map | None, list[tuple[Position, str]]]:
        builder = _Builder(following, file)
        return builder.tree(), builder.problems

    try:
        tree, found = by_libyaml(text, make)
    except NotForLibyaml:
        tree, found = by_ruamel(text, make)
    for at, problem in found:
        problems.add(at, problem)
    return tree


def _require_our_version(text: str) -> None:
    """Neither library reads all versions, and in 1.1 `yes` is true.

    Raises:
        NotYaml: the text says that it is of another one.
    """
    for number, line in enumerate(text[:4096].split("\n")):
        words = line.split()
        if words[:1] == [_VERSION] and words[1:2] != ["1.2"]:
            said = words[1] if len(words) > 1 else "of no version"
            raise NotYaml(f"this says that it is YAML {said}, and 1.2 is read here: take the line away", number, 0)
        if words and not line.startswith(("#", "%")):
            return


class _Part(NamedTuple):
    """A value, and what is known of how it was said."""

    value: Any
    at: Position
    text: str | None  # of a scalar, as it was written
    merge: bool = False  # it is `<<`
    size: int = 1  # parts of which it is, with itself


class _TooMuch(Exception):
    """There is more than can be read. What is wrong is among the problems."""


class _Builder:
    """Makes the tree of the events of one text.

    Attributes:
        problems: what it says that means nothing in a fleet file.
    """

    def __init__(self, following: Next, file: str) -> None:
        self.problems: list[tuple[Position, str]] = []
        self._next, self._file = following, file
        self._anchors: dict[str, _Part | None] = {}  # None: it is being read
        self._depth = self._size = 0

    def tree(self) -> Map | None:
        """The document; None: there is none that could be meant.

        Raises:
            NotYaml: an alias of nothing; and as the events do.
        """
        self._next()  # StreamStart
        event = self._next()
        if type(event).__name__ == "StreamEndEvent":
            return Map(Position(self._file, 1, 1))
        try:
            root = self._part(self._next())
            self._next()  # DocumentEnd
            event = self._next()
        except _TooMuch:
            return None
        if type(event).__name__ != "StreamEndEvent":
            self._wrong(self._at(event), "a fleet file is one YAML document, and here another one begins")
            return None
        if not isinstance(root.value, Map):
            at = Position(self._file, 1, 1) if root.value is None else root.at
            self._wrong(at, "a fleet file is a mapping: fleet: NAME, groups: …")
            return None
        return root.value

    def _part(self, event: Any) -> _Part:
        """What begins with this event."""
        self._size += 1
        kind = type(event).__name__
        if kind == "AliasEvent":
            return self._alias(event)
        mark = event.start_mark
        at = Position(self._file, mark.line + 1, mark.column + 1)
        tag: str | None = event.tag
        if tag is not None and tag != "!":
            self._check_tag(tag, at)
        if kind == "ScalarEvent":
            text: str = event.value
            if not text.isascii() and _HALF.search(text):
                text = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")  # as JSON writes them: pairs
                if "\ufffd" in text:
                    self._wrong(at, "there is half of a character in this: \\ud83d goes with \\ude00")
            if tag is None or tag == "!":
                plain = tag is None and event.implicit[0]
                part = _Part(_plain(text) if plain else text, at, text, plain and text == "<<")
            else:
                kind = tag.removeprefix(_YAML)
                part = _Part(_scalar(kind, text), at, text, kind == "merge")
        else:
            begun = self._size
            self._depth += 1
            if self._depth > _DEEPEST:
                self._give_up(at, "this is nested too deeply for a fleet")
            if event.anchor is not None:
                self._anchors[event.anchor] = None
            value: Any = self._list(at) if kind == "SequenceStartEvent" else self._map(at)
            self._depth -= 1
            part = _Part(value, at, None, False, self._size - begun + 1)
        if event.anchor is not None:
            self._anchors[event.anchor] = part
        return part

    def _alias(self, event: Any) -> _Part:
        at = self._at(event)
        if event.anchor not in self._anchors:
            mark = event.start_mark
            raise NotYaml(
                "this is no YAML: an alias of what is not there; a text that begins with * stands in quotes",
                mark.line,
                mark.column,
            )
        part = self._anchors[event.anchor]
        if part is None:
            self._wrong(at, f"*{event.anchor} contains itself")
            return _Part(None, at, None)
        self._size += part.size - 1
        if self._size > _LARGEST:
            self._give_up(at, "with its aliases written out this is too much for a fleet")
        return part

    def _list(self, at: Position) -> List:
        items = List(at)
        add, following = items.put, self._next
        while type(event := following()).__name__ != "SequenceEndEvent":
            part = self._part(event)
            add(part.value, at=part.at, text=None if isinstance(part.value, str) else part.text)
        return items

    def _map(self, at: Position) -> Map:
        items = Map(at)
        keys_at, values_at, texts = items.keys_at, items.values_at, items.texts
        inherited: list[Map] = []
        following, read = self._next, self._part
        while type(event := following()).__name__ != "MappingEndEvent":
            key_part = read(event)
            value, value_at, text, _, _ = read(following())
            key, key_at = key_part.text, key_part.at
            if key is None:
                self._wrong(key_at, "a key is a word, not a list or a mapping")
            elif key_part.merge:  # <<: *alias
                maps = [each for each in (value if isinstance(value, List) else [value]) if isinstance(each, Map)]
                if not maps:
                    self._wrong(key_at, "<<: takes the alias of a mapping, as in <<: *common")
                inherited += maps
            elif key in items:
                self._wrong(key_at, f"{key} is said twice; the first is in line {keys_at[key].line}")
            else:
                items[key], keys_at[key] = value, key_at
                # Where nothing was written, YAML is already at what comes next.
                values_at[key] = key_at if value is None else value_at
                if text is not None and not isinstance(value, str):
                    texts[key] = text
        for other in inherited:
            for key in other:
                if key not in items:
                    items.take(other, key)
        return items

    def _check_tag(self, tag: str, at: Position) -> None:
        name = tag.removeprefix(_YAML)
        if name not in _TAGS:
            self._wrong(at, "tags mean nothing in a fleet file; a text that begins with ! stands in quotes")

    def _at(self, event: Any) -> Position:
        return Position(self._file, event.start_mark.line + 1, event.start_mark.column + 1)

    def _wrong(self, at: Position, problem: str) -> None:
        self.problems.append((at, problem))

    def _give_up(self, at: Position, problem: str) -> None:
        self._wrong(at, problem)
        raise _TooMuch


def scalar(text: str) -> Any:
    """What the value of a variable means: a number, true, false, or itself."""
    if text in ("true", "false"):
        return text == "true"
    if text.isascii() and text.removeprefix("-").isdigit():
        return int(text)
    return text


def _plain(text: str) -> Any:
    """What stands without quotes."""
    if text in _NULL:
        return None
    if text[0] in _NUMERIC:
        if _FLOAT.fullmatch(text):
            return _scalar("float", text)
        return _scalar("int", text) if _INT.fullmatch(text) else text
    return _BOOL.get(text, text)


def _scalar(kind: str, text: str) -> Any:
    if kind == "null":
        return None
    if kind == "bool":
        return text.lower() in ("true", "yes", "on")
    try:
        if kind == "int":
            return int(text.replace("_", ""), 0 if text.lstrip("+-")[:2].lower() in ("0x", "0o", "0b") else 10)
        if kind == "float":
            number = float(text.replace("_", ""))
            return number if math.isfinite(number) else text
    except ValueError:  # no number after all, or one of thousands of digits
        pass
    return text
