"""A YAML text as a stream of events with their places: by libyaml, else by ruamel.yaml.

libyaml (PyYAML's wheels have it) reads ten thousand hosts in a tenth of a second, ruamel.yaml in some. But libyaml is
of YAML 1.1, and says little of what it does not like. So wherever it does not like a text, and where there is no
libyaml, ruamel.yaml is asked: it decides what is YAML, and its are the words. What both read, both read alike: a test
compares them. Only events are taken from either. What a scalar means, `machine.fleet.parse` says.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar

Next: TypeAlias = Callable[[], Any]
"""The next event. After the last one, StreamEndEvent, it is not called again."""

# Line ends in YAML 1.1 and in none later; and a mark that the two take for different things.
_NOT_ALIKE = ("\x85", "\u2028", "\u2029", "\ufeff")
_Made = TypeVar("_Made")


class NotYaml(Exception):
    """A text is no YAML.

    Attributes:
        line, column: where, from 0; column -1: it is not known.
    """

    def __init__(self, reason: str, line: int = 0, column: int = -1) -> None:
        super().__init__(reason)
        self.reason, self.line, self.column = reason, line, column


class NotForLibyaml(Exception):
    """libyaml does not read it; what there is to say of it, ruamel.yaml says."""


def by_libyaml(text: str, make: Callable[[Next], _Made]) -> _Made:
    """What is made of the events of libyaml.

    Raises:
        NotForLibyaml: it does not like the text, or there is no libyaml.
    """
    if any(each in text for each in _NOT_ALIKE):
        raise NotForLibyaml
    try:
        import yaml
        from yaml._yaml import CParser
    except ImportError:  # PyYAML was built without it
        raise NotForLibyaml from None
    try:
        return make(CParser(text).get_event)
    except (yaml.YAMLError, NotYaml) as error:
        raise NotForLibyaml from error


def by_ruamel(text: str, make: Callable[[Next], _Made]) -> _Made:
    """What is made of the events of ruamel.yaml.

    Raises:
        NotYaml: it does not like the text.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError
    from ruamel.yaml.reader import ReaderError

    try:
        return make(YAML(typ="safe", pure=True).parse(text).__next__)
    except ReaderError as error:
        lines = text[: error.position].split("\n")
        code = error.character if isinstance(error.character, int) else ord(error.character)
        raise NotYaml(f"YAML has no such character: U+{code:04X}", len(lines) - 1, len(lines[-1])) from error
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise NotYaml(_reason(error), *((mark.line, mark.column) if mark else ())) from error
    except YAMLError as error:
        raise NotYaml(f"this is no YAML: {error}") from error


def _reason(error: Any) -> str:
    """The parser's own words, with what helps in the cases that people meet. They quote no more than a character."""
    problem = str(error.problem or error.context or "this is no YAML")
    if "tag handle" in problem:  # which may be the beginning of a password
        return "tags mean nothing in a fleet file; a text that begins with ! stands in quotes"
    if "'\\t'" in problem:
        return "YAML is indented by spaces, and this is a tab"
    if "mapping values are not allowed" in problem:
        return "this is no YAML: a second `: ` in the line; put the text into quotes"
    context = f", {error.context}" if error.context and error.context != problem else ""
    return f"this is no YAML: {problem}{context}"
