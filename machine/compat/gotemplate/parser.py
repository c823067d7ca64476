"""Tokens into nodes, as Go's text/template/parse/parse.go does it, error by error."""

from __future__ import annotations

import math
import re
from collections import deque
from collections.abc import Collection
from typing import NoReturn

from machine.compat.gotemplate.lexer import Token, fail, quoted, tokens
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
from machine.compat.gotemplate.values import nearest

_DEEPEST = 50  # nested parentheses and blocks
_OPERANDS = ("bool", "dot", "field", "identifier", "number", "nil", "string", "variable", "(")
_ESCAPE = re.compile(r"\\(?:([abfnrtv\\'\"])|([0-7]{3})|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|(.|$))")
_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}


def parse(source: str, functions: Collection[str]) -> tuple[Part, ...]:
    """The parts of a template.

    Raises:
        TemplateError: in the words of Go's parser.
    """
    parser = _Parser(source, functions)
    parts, end = parser.parts()
    if end.kind != "eof":
        parser.fail(f"unexpected {{{{{end.text}}}}}")
    return parts


class _Parser:
    def __init__(self, source: str, functions: Collection[str]) -> None:
        self._source = source
        self._functions = functions
        self._tokens = tokens(source)
        self._ahead: deque[Token] = deque()
        self._at = 0
        self._variables = ["$"]
        self._depth = 0

    def fail(self, message: str, hint: str | None = None) -> NoReturn:
        fail(self._source, self._at, message, hint)

    def parts(self) -> tuple[tuple[Part, ...], Token]:
        """Everything up to an ``else``, an ``end`` or the end of the template, and that."""
        found: list[Part] = []
        while True:
            token = self._next()
            if token.kind == "eof":
                return tuple(found), token
            if token.kind == "text":
                found.append(Text(token.text))
                continue
            word = self._next_word()
            if word.kind == "keyword":
                if word.text in ("else", "end"):
                    return tuple(found), word
                if word.text not in ("if", "range", "with"):
                    self.fail(f"{{{{{word.text}}}}} is not supported here")
                found.append(self._control(word.text))
            else:
                self._push(word)
                found.append(Action(self._pipeline("command")))

    def _control(self, kind: str) -> Control:
        self._deeper()
        known = len(self._variables)
        pipe = self._pipeline(kind)
        then, end = self.parts()
        otherwise: tuple[Part, ...] = ()
        if end.text == "else":
            if kind == "if" and self._peek().kind == "space" and self._peek_word().text == "if":
                self._next_word()
                otherwise = (self._control("if"),)  # the same {{end}} ends both
                end = Token("keyword", "end", self._at)
            else:
                self._expect_right("else")
                otherwise, end = self.parts()
                if end.text == "else":
                    self.fail("expected end; found {{else}}")
                self._end(end)
        else:
            self._end(end)
        del self._variables[known:]
        self._depth -= 1
        return Control(kind, pipe, then, otherwise)

    def _end(self, end: Token) -> None:
        if end.kind == "eof":
            self.fail("unexpected EOF")
        self._expect_right("end")

    def _expect_right(self, context: str) -> None:
        token = self._next_word()
        if token.kind != "right":
            self.fail(f"unexpected {token} in {context}")

    def _pipeline(self, context: str) -> Pipe:
        self._deeper()
        at = self._peek_word().at
        names, assigns = self._declared(context)
        commands: list[Command] = []
        piped = False
        while True:
            token = self._next_word()
            if token.kind in ("right", ")"):
                break
            if token.kind not in _OPERANDS:
                self.fail(f"unexpected {token} in {context}")
            self._push(token)
            command, piped = self._command()
            commands.append(command)
        if not commands or piped:
            self.fail(f"missing value for {context}")
        for number, command in enumerate(commands[1:], start=2):
            if isinstance(command.words[0], (Constant, Dot)):
                self.fail(f"non executable command in pipeline stage {number}")
        if token.kind == ")":
            self._push(token)
        self._depth -= 1
        return Pipe(at, names, assigns, tuple(commands))

    def _declared(self, context: str) -> tuple[tuple[str, ...], bool]:
        """The variables before ``:=`` or ``=``; none where the pipeline begins otherwise."""
        names: list[str] = []
        while self._peek_word().kind == "variable":
            variable = self._next_word()
            space = self._next() if self._peek().kind == "space" else None
            follows = self._peek()
            if follows.kind in ("declare", "assign"):
                self._next()
                names.append(variable.text)
                if follows.kind == "assign":
                    for name in names:
                        self._require_variable(name)
                self._variables += names
                return tuple(names), follows.kind == "assign"
            if follows.kind == "char" and follows.text == ",":
                self._next()
                names.append(variable.text)
                if context != "range" or len(names) > 1:
                    self.fail(f"too many declarations in {context}")
                if self._peek_word().kind != "variable":
                    self.fail("range can only initialize variables")
                continue
            if names:
                self.fail("range can only initialize variables")
            if space is not None:
                self._push(space)
            self._push(variable)
            break
        return (), False

    def _command(self) -> tuple[Command, bool]:
        """A command, and whether a pipe follows it."""
        at = self._peek_word().at
        words: list[Operand] = []
        while True:
            self._peek_word()
            operand = self._operand()
            if operand is not None:
                words.append(operand)
            token = self._next()
            if token.kind == "space":
                continue
            if token.kind in ("right", ")"):
                self._push(token)
            elif token.kind != "pipe":
                self.fail(f"unexpected {token} in operand")
            break
        if not words:
            self.fail("empty command")
        return Command(at, tuple(words)), token.kind == "pipe"

    def _operand(self) -> Operand | None:
        term = self._term()
        if term is None or self._peek().kind != "field":
            return term
        at = self._peek().at
        names = []
        while self._peek().kind == "field":
            names.append(self._next().text[1:])
        if isinstance(term, Field):
            return Field(at, (*term.names, *names))
        if isinstance(term, Variable):
            return Variable(at, term.name, (*term.names, *names))
        if isinstance(term, (Constant, Dot)):
            self.fail(f"unexpected . after term {quoted(str(term))}")
        return Chain(at, term, tuple(names))

    def _term(self) -> Operand | None:
        token = self._next_word()
        text, at = token.text, token.at
        if token.kind == "identifier":
            if text not in self._functions:
                close = nearest(text, self._functions)
                self.fail(f"function {quoted(text)} not defined", f"did you mean {close}?" if close else None)
            return Function(at, text)
        if token.kind == "dot":
            return Dot(at)
        if token.kind == "nil":
            return Constant(at, None, text)
        if token.kind == "bool":
            return Constant(at, text == "true", text)
        if token.kind == "field":
            return Field(at, (text[1:],))
        if token.kind == "variable":
            self._require_variable(text)
            return Variable(at, text)
        if token.kind == "number":
            return Constant(at, self._number(text), text)
        if token.kind == "string":
            return Constant(at, text[1:-1].replace("\r", "") if text[0] == "`" else self._unquoted(text), text)
        if token.kind == "(":
            pipe = self._pipeline("parenthesized pipeline")
            closing = self._next()
            if closing.kind != ")":
                self.fail(f"unclosed right paren: unexpected {closing}")
            return pipe
        self._push(token)
        return None

    def _require_variable(self, name: str) -> None:
        if name not in self._variables:
            close = nearest(name, self._variables[1:])
            self.fail(f"undefined variable {quoted(name)}", f"did you mean {close}?" if close else None)

    def _number(self, text: str) -> int | float:
        if text[0] == "'":
            char = self._unquoted(text)
            if len(char) != 1:
                self.fail(f"malformed character constant: {text}")
            return ord(char)
        digits = text.lstrip("+-")
        value: int | float
        try:
            if digits[:2].lower() == "0x":
                value = int(text, 16)
            elif any(mark in text for mark in ".eE"):
                value = float(text)
            else:
                value = int(text, 8 if digits[0] == "0" and len(digits) > 1 else 10)
        except ValueError:
            self.fail(f"illegal number syntax: {quoted(text)}")
        if math.isinf(value):
            self.fail(f"illegal number syntax: {quoted(text)}")
        if isinstance(value, int) and not -(1 << 63) <= value < 1 << 63:
            self.fail(f"integer overflow: {quoted(text)}")
        return value

    def _unquoted(self, text: str) -> str:
        pieces: list[bytes] = []
        end = 1
        for found in _ESCAPE.finditer(text, 1, len(text) - 1):
            pieces.append(text[end : found.start()].encode())
            pieces.append(self._escaped(found, text[0]))
            end = found.end()
        pieces.append(text[end:-1].encode())
        return b"".join(pieces).decode(errors="replace")

    def _escaped(self, found: re.Match[str], mark: str) -> bytes:
        char, octal, byte, four, eight, _ = found.groups()
        if char is not None and (char not in "'\"" or char == mark):
            return _ESCAPES.get(char, char).encode()
        code = int(octal, 8) if octal else int(byte or four or eight or "-1", 16)
        largest = 0xFF if octal or byte else 0x10FFFF
        if not 0 <= code <= largest or 0xD800 <= code < 0xE000:
            self.fail("invalid syntax")
        return bytes([code]) if octal or byte else chr(code).encode()

    def _deeper(self) -> None:
        self._depth += 1
        if self._depth > _DEEPEST:
            self.fail(f"nested more than {_DEEPEST} deep")

    def _next(self) -> Token:
        token = self._ahead.popleft() if self._ahead else next(self._tokens)
        self._at = token.at
        return token

    def _push(self, token: Token) -> None:
        self._ahead.appendleft(token)

    def _peek(self) -> Token:
        if not self._ahead:
            self._ahead.append(next(self._tokens))
        return self._ahead[0]

    def _next_word(self) -> Token:
        token = self._next()
        return self._next() if token.kind == "space" else token

    def _peek_word(self) -> Token:
        """The next token that is no space; the space is gone."""
        token = self._next_word()
        self._push(token)
        return token
