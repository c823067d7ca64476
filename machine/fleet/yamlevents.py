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
        reason, mark = _reason(error, text)
        raise NotYaml(reason, *((mark.line, mark.column) if mark else ())) from error
    except YAMLError as error:
        raise NotYaml(f"this is no YAML: {error}") from error


def _reason(error: Any, text: str) -> tuple[str, Any]:
    """The parser's own words and its mark, with what helps in the cases that people meet.

    They quote no more than a character: what is no YAML may be a password without its quotes.
    """
    problem = str(error.problem or error.context or "this is no YAML")
    mark, begun = error.problem_mark or error.context_mark, error.context_mark
    if "tag handle" in problem:  # which may be the beginning of a password
        return "tags mean nothing in a fleet file; a text that begins with ! stands in quotes", mark
    if "'\\t'" in problem:
        return "YAML is indented by spaces, and this is a tab", mark
    if "mapping values are not allowed" in problem:
        before = text.split("\n")[mark.line][: mark.column]
        if ": " in before:
            return "this is no YAML: a second `: ` in the line; put the text into quotes", mark
        why = "it is indented too far, or a colon above has no space after it"
        return f"this is no YAML: a key, where the text above goes on: {why}", mark
    if "could not find expected ':'" in problem and begun is not None:
        return "this is no YAML: a key without its colon, or a text that is not indented", begun
    if "cannot start any token" in problem:
        return f"this is no YAML: {problem}; put the text into quotes", mark
    context = f", {error.context}" if error.context and error.context != problem else ""
    if context and begun is not None and mark is not None and begun.line != mark.line:
        context += f" that begins in line {begun.line + 1}"
    return f"this is no YAML: {problem}{context}", mark
