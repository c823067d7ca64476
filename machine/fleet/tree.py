"""Dictionaries and lists that know where each part of them was said. `machine.fleet.parse` makes them of YAML."""

from __future__ import annotations

from typing import Any

from machine.fleet.model import Position


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
