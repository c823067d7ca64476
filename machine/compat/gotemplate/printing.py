"""Values as Go's fmt prints them: ``Sprint`` and the verbs of ``Sprintf`` that people use."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from machine.compat.gotemplate.values import Missing, Named, Struct, type_name

_WIDEST = 10_000
_DIRECTIVE = re.compile(r"%([-+# 0]*)(\[\d{1,3}\])?(\*|\d+)?(?:(\.)(\*|\d*))?(\[\d{1,3}\])?(.)?", re.DOTALL)
_QUOTED = {
    "\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v", '"': '\\"', "\\": "\\\\",
}  # fmt: skip


def shown(value: Any) -> str:
    """A value as ``%v`` prints it."""
    return _formatted(value, _Form("v"))


def sprint(*values: Any) -> str:
    """Side by side, with a space between two of which neither is a text."""
    out = []
    for place, value in enumerate(values):
        if place and not isinstance(value, str) and not isinstance(values[place - 1], str):
            out.append(" ")
        out.append(shown(value))
    return "".join(out)


def sprintln(*values: Any) -> str:
    """With spaces between all, and a newline."""
    return " ".join(map(shown, values)) + "\n"


def sprintf(form: str, values: Sequence[Any]) -> str:
    """As the format says; what does not fit it is said in its place."""
    out: list[str] = []
    end = used = 0
    reordered = False
    for found in _DIRECTIVE.finditer(form):
        if found.start() < end:
            continue
        out.append(form[end : found.start()])
        end = found.end()
        flags, number, width, dot, precision, number_after, verb = found.groups()
        if verb is None:
            out.append("%!(NOVERB)")
            continue
        if verb == "%":
            out.append("%")
            continue
        sizes: list[int | None] = []
        if number and width != "*" and precision != "*":
            used, reordered = int(number[1:-1]) - 1, True
        for size, name in ((width, "WIDTH"), (precision if dot else None, "PREC")):
            if size != "*":
                sizes.append(min(int(size or 0), _WIDEST) if size is not None else None)
                continue
            given = values[used] if 0 <= used < len(values) else None
            used += 1
            if not isinstance(given, int) or isinstance(given, bool) or abs(given) > _WIDEST:
                out.append(f"%!(BAD{name})")
                given = None
            sizes.append(given)
        if number_after:
            used, reordered = int(number_after[1:-1]) - 1, True
        if sizes[0] is not None and sizes[0] < 0:
            flags, sizes[0] = flags + "-", -sizes[0]
        if not 0 <= used < len(values):
            out.append(f"%!{verb}({'BADINDEX' if reordered else 'MISSING'})")
            continue
        out.append(_formatted(values[used], _Form(verb, flags, sizes[0], sizes[1])))
        used += 1
    out.append(form[end:])
    if not reordered and used < len(values):
        extra = ", ".join("<nil>" if each is None else f"{type_name(each)}={shown(each)}" for each in values[used:])
        out.append(f"%!(EXTRA {extra})")
    return "".join(out)


@dataclass(frozen=True, slots=True)
class _Form:
    verb: str
    flags: str = ""
    width: int | None = None
    precision: int | None = None

    def padded(self, text: str, *, number: bool = False) -> str:
        missing = (self.width or 0) - len(text)
        if missing <= 0:
            return text
        if "-" in self.flags:
            return text + " " * missing
        if "0" in self.flags:
            sign = text[0] if number and text[:1] in ("+", "-", " ") else ""
            return sign + "0" * missing + text[len(sign) :]
        return " " * missing + text

    def signed(self, text: str) -> str:
        if text[0] in "+-":
            return text
        return ("+" if "+" in self.flags else " " if " " in self.flags else "") + text


def _formatted(value: Any, form: _Form) -> str:
    if isinstance(value, Missing):
        value = None
    if form.verb == "T":
        return form.padded("<nil>" if value is None else type_name(value))
    if value is None:
        return form.padded("<nil>") if form.verb == "v" else f"%!{form.verb}(<nil>)"
    if isinstance(value, Named):
        return _formatted(value.text if form.verb in "vsqxX" else value.number, form)
    if isinstance(value, Struct):
        names = "+" in form.flags and form.verb == "v"
        inner = [
            f"{name}:{_formatted(each, form)}" if names else _formatted(each, form)
            for name, each in value.fields.items()
        ]
        return "{" + " ".join(inner) + "}"
    if isinstance(value, Mapping):
        keys = sorted(value, key=str)
        return "map[" + " ".join(f"{_formatted(key, form)}:{_formatted(value[key], form)}" for key in keys) + "]"
    if isinstance(value, (list, tuple)):
        return "[" + " ".join(_formatted(each, form) for each in value) + "]"
    if isinstance(value, bool):
        text = ("true" if value else "false") if form.verb in "tv" else None
    elif isinstance(value, str):
        text = _string(str(value), form)
    elif isinstance(value, int):
        return _integer(value, form)
    else:
        return _float(float(value), form) if form.verb in "eEfFgGv" else _bad(value, form)
    return _bad(value, form) if text is None else form.padded(text)


def _bad(value: Any, form: _Form) -> str:
    return f"%!{form.verb}({type_name(value)}={shown(value)})"


def _string(text: str, form: _Form) -> str | None:
    if form.precision is not None and form.verb in "svq":
        text = text[: form.precision]
    if form.verb in "sv":
        return text
    if form.verb == "q":
        return quote(text)
    if form.verb in "xX":
        raw = text.encode().hex(" ") if " " in form.flags else text.encode().hex()
        return raw.upper() if form.verb == "X" else raw
    return None


def quote(text: str) -> str:
    """In double quotes, as Go would have it in a program."""
    return '"' + "".join(_QUOTED.get(char) or (char if char.isprintable() else _escape(char)) for char in text) + '"'


def _escape(char: str) -> str:
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x80 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _integer(value: int, form: _Form) -> str:
    if form.verb in "eEfFgG":  # JSON knows no integers: what docker-machine hands to a template is a float
        return _float(float(value), form)
    if form.verb in "cqU":
        if not 0 <= value < 0x110000 or 0xD800 <= value < 0xE000:
            return _bad(value, form)
        if form.verb == "U":
            return form.padded(f"U+{value:04X}")
        char = chr(value)
        if form.verb == "c":
            return form.padded(char)
        inner = "\\'" if char == "'" else char if char == '"' else quote(char)[1:-1]
        return form.padded(f"'{inner}'")
    digits = {"d": "d", "v": "d", "b": "b", "o": "o", "x": "x", "X": "X"}.get(form.verb)
    if digits is None:
        return _bad(value, form)
    text = format(abs(value), digits)
    if form.precision is not None:
        text = text.rjust(form.precision, "0")
    if "#" in form.flags and form.verb in "xXob":
        text = {"x": "0x", "X": "0X", "o": "0", "b": "0b"}[form.verb] + text
    text = form.signed(("-" if value < 0 else "") + text)
    return form.padded(text, number=form.precision is None)


def _float(value: float, form: _Form) -> str:
    if value != value or value in (float("inf"), float("-inf")):
        text = "NaN" if value != value else "+Inf" if value > 0 else "-Inf"
        return form.padded(text)
    if form.verb in "gGv":
        text = _shortest(value) if form.precision is None else f"{value:.{form.precision}g}"
    else:
        precision = 6 if form.precision is None else form.precision
        text = f"{value:.{precision}{form.verb.lower()}}"
    return form.padded(form.signed(text.upper() if form.verb in "EG" else text), number=True)


def _shortest(value: float) -> str:
    """The fewest digits that give this number back; with an exponent from a million on, and below a ten-thousandth."""
    sign = "-" if repr(value)[0] == "-" else ""
    for precision in range(17):
        digits, _, exponent = f"{abs(value):.{precision}e}".partition("e")
        if float(f"{digits}e{exponent}") == abs(value):
            break
    power = int(exponent)
    if not -4 <= power < 6:
        return f"{sign}{digits}e{'-' if power < 0 else '+'}{abs(power):02d}"
    whole = digits.replace(".", "")
    if power < 0:
        return sign + "0." + "0" * (-power - 1) + whole
    whole = whole.ljust(power + 1, "0")
    return sign + whole[: power + 1] + ("." + whole[power + 1 :] if len(whole) > power + 1 else "")
