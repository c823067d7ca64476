"""What is wrong with a fleet file, collected: people get all of it at once, each with its place."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

from machine.errors import FleetFileError
from machine.fleet.hidden import CUT, LONGEST, Hidden
from machine.fleet.model import Position

_KNOWN_SHOWN = 12  # names; of more, nobody reads a list


class Problems:
    """Errors and warnings of one fleet file and of what it includes."""

    def __init__(self) -> None:
        self._errors: dict[Position, str] = {}
        self._warnings: dict[tuple[Position, str], None] = {}
        self._hidden = Hidden()
        self.unread = False  # a file could not be read: what it would have said is missing everywhere

    def add(self, at: Position, text: str) -> None:
        """Something is wrong at this place; what was found there first is the reason for the rest."""
        self._errors.setdefault(at, text)

    def warn(self, at: Position, text: str) -> None:
        """Something can be meant, and is told of."""
        self._warnings[at, text] = None

    def hide(self, secret: str, at: Position) -> None:
        """Say this text in no error. It may be a secret: people show errors to others."""
        self._hidden.add(secret, at)

    @property
    def found(self) -> bool:
        """Whether there are errors."""
        return bool(self._errors)

    def warnings(self) -> tuple[str, ...]:
        """One line each, in the order of the file."""
        return tuple(_printable(f"{at}: {text}") for at, text in sorted(self._warnings))

    def raise_errors(self, hint: str | None = None) -> None:
        """Raise what was found wrong so far.

        Raises:
            FleetFileError: something was.
        """
        if not self._errors:
            return
        found = sorted(self._errors.items())
        lines = [_printable(f"{at}: {self._hidden.taken_out(text, at)}") for at, text in found]
        message = lines[0]
        if len(lines) > 1:
            message = f"{len(lines)} errors:\n" + "\n".join(f"  {line}" for line in lines)
        raise FleetFileError(message, problems=lines, hint=hint)


def shown(text: str) -> str:
    """A text of a file in a message: quoted, and not all of a long one."""
    return repr(text if len(text) <= LONGEST else text[: LONGEST - 1] + CUT)


def _printable(line: str) -> str:
    """A line that does nothing to a terminal, and can be written to any."""
    return line if line.isprintable() else "".join(each if each.isprintable() else repr(each)[1:-1] for each in line)


def meant(word: str, known: Iterable[str]) -> str:
    """The end of a message about a word that is not known: what was meant, or what there is."""
    names = {each.lower(): each for each in known}
    close = difflib.get_close_matches(word.lower(), names, n=2)
    if close:
        return f"; did you mean {' or '.join(names[each] for each in close)}?"
    if not names or len(names) > _KNOWN_SHOWN:
        return ""
    return f"; there is {', '.join(names.values())}"
