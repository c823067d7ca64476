"""Templates, rendered: a name that is missing is an error, never an empty string in a unit file.

What comes from elsewhere goes through a filter: ``yaml`` makes a text one YAML scalar, ``sh`` one word for a shell.
"""

from __future__ import annotations

import functools
import shlex
from typing import Any

import jinja2

_PLAIN = frozenset(map(chr, range(0x20, 0x7F))) - set('"\\')


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(  # noqa: S701 (units, YAML and shell, not HTML)
        loader=jinja2.PackageLoader("machine"),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(yaml=yaml_text, sh=shlex.quote)
    return environment


def render(template: str, **context: Any) -> str:
    """One template of ``machine/templates``, filled in.

    Raises:
        jinja2.UndefinedError: the template needs a value that was not given.
    """
    return _environment().get_template(template).render(context)


def yaml_text(text: str) -> str:
    """A text as a double-quoted scalar, in ASCII: the same text for every YAML parser, of whichever version.

    Not JSON: its pairs of surrogates are two characters to YAML, and some that it leaves alone end a line there.
    """
    return '"' + "".join(each if each in _PLAIN else _escaped(ord(each)) for each in text) + '"'


def _escaped(code: int) -> str:
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
