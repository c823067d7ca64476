"""Text into tokens, as Go's text/template/parse/lex.go does it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NoReturn

from machine.compat.gotemplate.values import TemplateError

KEYWORDS = ("block", "define", "else", "end", "if", "range", "template", "with")
_SPACE = " \t\r\n"
_TERMINATORS = " \t\r\n.,|:)(}"
_NUMBER = re.compile(r"[+-]?(?:0[xX][0-9a-fA-F]+|[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of a template and where it begins."""

    kind: str  # text left right space field variable identifier keyword bool nil dot number char string pipe …
    text: str
    at: int

    def __str__(self) -> str:
        """As Go's errors show it."""
        if self.kind == "eof":
            return "EOF"
        if self.kind in ("keyword", "nil"):
            return f"<{self.text}>"
        shown = quoted(self.text[:10])
        return shown + "..." if len(self.text) > 10 else shown


def quoted(text: str) -> str:
    """A text in double quotes on one line, for an error."""
    plain = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    return '"' + "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in plain) + '"'


def fail(source: str, at: int, message: str, hint: str | None = None) -> NoReturn:
    """Raise the error of a template that cannot be understood."""
    raise TemplateError(f"template: :{source.count(chr(10), 0, at) + 1}: {message}", hint=hint)


def tokens(source: str) -> Iterator[Token]:
    """The tokens of a template; an error is raised when its place is reached."""
    at = 0
    trim = False  # the action before ended in " -}}"
    while True:
        start = source.find("{{", at)
        text = source[at:] if start < 0 else source[at:start]
        begin = at
        if trim:
            text = text.lstrip(_SPACE)
        inside = start + 2
        if start >= 0 and source[inside : inside + 1] == "-" and source[inside + 1 : inside + 2] in tuple(_SPACE):
            text = text.rstrip(_SPACE)
            inside += 2
        if text:
            yield Token("text", text, begin)
        if start < 0:
            yield Token("eof", "", len(source))
            return
        if source.startswith("/*", inside):
            at, trim = _after_comment(source, inside)
            continue
        yield Token("left", "{{", start)
        lexer = _Action(source, inside, start)
        yield from lexer.tokens()
        at, trim = lexer.at, lexer.trim


def _after_comment(source: str, at: int) -> tuple[int, bool]:
    end = source.find("*/", at)
    if end < 0:
        fail(source, at, "unclosed comment")
    found = _right(source, end + 2)
    if found is None:
        fail(source, at, "comment ends before closing delimiter")
    return found


def _right(source: str, at: int) -> tuple[int, bool] | None:
    """Where the text goes on and whether it is trimmed, if an action ends here."""
    if source.startswith("}}", at):
        return at + 2, False
    if source[at : at + 1] in tuple(_SPACE) and source.startswith("-}}", at + 1):
        return at + 4, True
    return None


class _Action:
    """What stands between two delimiters."""

    def __init__(self, source: str, at: int, start: int) -> None:
        self.source = source
        self._start = start
        self.at = at
        self.trim = False
        self._depth = 0

    def tokens(self) -> Iterator[Token]:
        while True:
            end = _right(self.source, self.at)
            if end is not None:
                if self._depth:
                    self._fail("unclosed left paren")
                yield Token("right", "}}", self.at)
                self.at, self.trim = end
                return
            yield self._next()

    def _next(self) -> Token:
        source, start = self.source, self.at
        if start >= len(source):
            fail(source, self._start, "unclosed action")
        char = source[start]
        after = source[start + 1 : start + 2]
        if char in _SPACE:
            end = start
            while end < len(source) and source[end] in _SPACE and not (end > start and _right(source, end)):
                end += 1
            return self._token("space", end)
        if char == ":":
            if after != "=":
                self._fail("expected :=")
            return self._token("declare", start + 2)
        if char in '"`':
            return self._token("string", self._end_of_string(char))
        if char == "'":
            return self._token("number", self._end_of_string(char))
        if char == "$" or (char == "." and not ("0" <= after <= "9" and after)):
            return self._field("variable" if char == "$" else "field")
        if char in "+-.0123456789":
            return self._number()
        if char in "()":
            self._depth += 1 if char == "(" else -1
            if self._depth < 0:
                self._fail("unexpected right paren U+0029 ')'")
        if _WORD.match(char):
            return self._word()
        kind = {"=": "assign", "|": "pipe", "(": "(", ")": ")"}.get(char, "char")
        if kind == "char" and not (char.isascii() and char.isprintable()):
            self._fail(f"unrecognized character in action: {_code_point(char)}")
        return self._token(kind, start + 1)

    def _field(self, kind: str) -> Token:
        end = self.at + 1
        if found := _WORD.match(self.source, end):
            end = found.end()
        elif kind == "field":
            kind = "dot"
        self._require_terminator(end)
        return self._token(kind, end)

    def _word(self) -> Token:
        found = _WORD.match(self.source, self.at)
        assert found is not None  # noqa: S101 - the caller looked
        word = found.group()
        self._require_terminator(found.end())
        kind = "keyword" if word in KEYWORDS else {"true": "bool", "false": "bool", "nil": "nil"}.get(word)
        return self._token(kind or "identifier", found.end())

    def _number(self) -> Token:
        found = _NUMBER.match(self.source, self.at)
        end = found.end() if found else self.at + 1
        if found is None or _WORD.match(self.source, end):
            self._fail(f"bad number syntax: {quoted(self.source[self.at : end + 1])}")
        return self._token("number", end)

    def _end_of_string(self, mark: str) -> int:
        names = {'"': "quoted string", "`": "raw quoted string", "'": "character constant"}
        at = self.at + 1
        while self.source[at : at + 1] != mark:
            if at >= len(self.source) or (mark != "`" and self.source[at] == "\n"):
                self._fail(f"unterminated {names[mark]}")
            at += 2 if self.source[at] == "\\" and mark != "`" else 1
        return at + 1

    def _require_terminator(self, at: int) -> None:
        if at < len(self.source) and self.source[at] not in _TERMINATORS:
            self._fail(f"bad character {_code_point(self.source[at])}")

    def _token(self, kind: str, end: int) -> Token:
        token = Token(kind, self.source[self.at : end], self.at)
        self.at = end
        return token

    def _fail(self, message: str) -> NoReturn:
        fail(self.source, self.at, message)


def _code_point(char: str) -> str:
    return f"U+{ord(char):04X}" + (f" '{char}'" if char.isprintable() else "")
