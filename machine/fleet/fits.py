"""Whether a document fits a schema: yes, or it is not sure. `machine.fleet.validate` finds out what is wrong then.

Nearly every file that is read is fine, and of one that says ten thousand machines each is looked at. jsonschema needs
half a second for that, and the twentieth of one to be imported. This knows the keywords of `machine.fleet.schema` and
the types of `machine.fleet.tree`; of everything else it is not sure. A test holds the two together.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from machine.fleet.tree import List, Map
from machine.fleet.variables import Secret

_Check: TypeAlias = Callable[[Any], bool]

_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str, Secret),
    "integer": (int,),  # 2.0 is one too: that is left to jsonschema
    "number": (int, float),
    "boolean": (bool,),
    "array": (List,),
    "object": (Map,),
    "null": (type(None),),
}
_SAYS_NOTHING = frozenset(("$schema", "$defs", "title", "description", "default", "deprecated", "patternErrorMessage"))
_OF_MAPS = frozenset(("properties", "patternProperties", "additionalProperties"))  # each asks the others
_REFERENCE = "#/$defs/"


class NotSure(Exception):
    """A schema says something that is not known here."""


def fits(document: Map, schema: Mapping[str, Any]) -> bool:
    """True: jsonschema would find nothing wrong with it either.

    Raises:
        NotSure: the schema has a keyword that is not known here.
    """
    return _Checks(schema).check(schema)(document)


class _Checks:
    """Makes checks of parts of one schema."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._definitions: Mapping[str, Any] = schema.get("$defs", {})
        self._made: dict[str, _Check] = {}  # by the name of a definition
        self._keywords: dict[str, Callable[[Any, Mapping[str, Any]], _Check]] = {
            "$ref": self._ref,
            "type": self._type,
            "enum": self._enum,
            "const": lambda said, schema: self._enum([said], schema),
            "pattern": self._pattern,
            "minimum": self._minimum,
            "maximum": self._maximum,
            "required": self._required,
            "items": self._items,
            "propertyNames": self._property_names,
            "allOf": self._all_of,
            "not": self._not,
            "if": self._if,
        }

    def check(self, schema: Any) -> _Check:
        """The check of a schema."""
        if isinstance(schema, bool):
            return lambda _: schema
        checks = []
        for keyword, said in schema.items():
            if keyword in _SAYS_NOTHING or keyword in _OF_MAPS or (keyword == "then" and "if" in schema):
                continue
            if keyword not in self._keywords:
                raise NotSure(keyword)
            checks.append(self._keywords[keyword](said, schema))
        if not _OF_MAPS.isdisjoint(schema):
            checks.append(self._map(schema))
        if len(checks) == 1:
            return checks[0]
        if len(checks) == 2:  # a type and one thing more: most of them
            first, second = checks
            return lambda value: first(value) and second(value)
        return lambda value: all(check(value) for check in checks)

    def _ref(self, said: str, _: Any) -> _Check:
        name = said.removeprefix(_REFERENCE)
        if name not in self._definitions:
            raise NotSure(said)
        if name not in self._made:
            self._made[name] = self.check(self._definitions[name])
        return self._made[name]

    def _type(self, said: str | list[str], _: Any) -> _Check:
        kinds = [said] if isinstance(said, str) else said
        types = frozenset(each for kind in kinds for each in _TYPES[kind])
        return lambda value: type(value) in types

    def _enum(self, said: list[Any], _: Any) -> _Check:
        if any(each is not None and type(each) is not str for each in said):
            raise NotSure("enum")  # to Python, True is 1
        return lambda value: (value is None or isinstance(value, str)) and value in said

    def _pattern(self, said: str, _: Any) -> _Check:
        search = re.compile(said).search
        return lambda value: not isinstance(value, str) or search(value) is not None

    def _minimum(self, said: float, _: Any) -> _Check:
        return lambda value: type(value) not in (int, float) or value >= said

    def _maximum(self, said: float, _: Any) -> _Check:
        return lambda value: type(value) not in (int, float) or value <= said

    def _required(self, said: list[str], _: Any) -> _Check:
        return lambda value: type(value) is not Map or all(each in value for each in said)

    def _items(self, said: Any, _: Any) -> _Check:
        check = self.check(said)
        return lambda value: type(value) is not List or all(map(check, value))

    def _property_names(self, said: Any, _: Any) -> _Check:
        check = self.check(said)
        return lambda value: type(value) is not Map or all(map(check, value))

    def _all_of(self, said: list[Any], _: Any) -> _Check:
        checks = [self.check(each) for each in said]
        return lambda value: all(check(value) for check in checks)

    def _not(self, said: Any, _: Any) -> _Check:
        check = self.check(said)
        return lambda value: not check(value)

    def _if(self, said: Any, schema: Mapping[str, Any]) -> _Check:
        condition, then = self.check(said), self.check(schema.get("then", True))
        return lambda value: not condition(value) or then(value)

    def _map(self, schema: Mapping[str, Any]) -> _Check:
        named = {key: self.check(each) for key, each in schema.get("properties", {}).items()}
        patterned = schema.get("patternProperties", {}).items()
        patterns = [(re.compile(key).search, self.check(each)) for key, each in patterned]
        others = self.check(schema.get("additionalProperties", True))

        def check(value: Any) -> bool:
            if type(value) is not Map:
                return True
            for key, part in value.items():
                known = named.get(key)
                found = [each for search, each in patterns if search(key)] if patterns else ()
                if known is not None and not known(part):
                    return False
                if found:
                    if not all(each(part) for each in found):
                        return False
                elif known is None and not others(part):
                    return False
            return True

        return check
