"""Why a host could not be made as wanted: what goes back to the operator as the last line."""

from __future__ import annotations


class Failed(Exception):
    """Converge stops here; everything done so far can stay, and a repeat goes on from it.

    Args:
        code: a slug, one per thing the operator can do something different about.
        message: one line, what is wrong.
        cause: what the layer below said.
        hint: what to do.
    """

    def __init__(self, code: str, message: str, cause: str = "", hint: str = "") -> None:
        super().__init__(message)
        self.code, self.message, self.cause, self.hint = code, message, cause, hint


class Gone(Exception):
    """The operator is no longer there; nothing more is begun."""
