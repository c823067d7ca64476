"""What may be a secret, taken out of what is said."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable

from machine.fleet.model import Position

HIDDEN = "[hidden]"
CUT = "…"  # after a value of which not all is shown
LONGEST = 40  # characters that are shown of one
_BEGIN = 4  # characters by which secrets are looked up; what is shorter stands in too many words
_IN_WORDS = 8  # characters of one that is taken out of the middle of words, too


class Hidden:
    """Texts that are to be said nowhere. There may be as many of them as of machines, and as many errors."""

    def __init__(self) -> None:
        self._short: defaultdict[Position, set[str]] = defaultdict(set)
        self._by_begin: defaultdict[str, set[str]] = defaultdict(set)

    def add(self, secret: str, at: Position) -> None:
        """Say this text no more; a very short one, not where it stands."""
        for each in {secret, repr(secret)[1:-1]}:  # as it is, and as it is quoted
            if len(each) < _BEGIN:
                self._short[at].add(each)
            else:
                self._by_begin[each[:_BEGIN]].add(each)

    def taken_out(self, text: str, at: Position) -> str:
        """A text about a place without them."""
        found = set(self._short.get(at, ()))
        for begin in {text[start : start + _BEGIN] for start in range(len(text))} & self._by_begin.keys():
            found |= {each for each in self._by_begin[begin] if each in text or CUT in text}
        return _without(sorted(found, key=len, reverse=True), text)


def _without(secrets: Iterable[str], text: str) -> str:
    for secret in secrets:
        if len(secret) < _IN_WORDS:
            text = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", HIDDEN, text)
        else:
            text = text.replace(secret, HIDDEN)
        for end in range(min(len(secret), LONGEST), _BEGIN - 1, -1) if CUT in text else ():
            text = text.replace(secret[:end] + CUT, HIDDEN + CUT)
    return text
