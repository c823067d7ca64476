"""What operations say beyond their events: shown on stderr where that is wanted, and never with a secret in it."""

from __future__ import annotations

from machine.operations.log import RedactingFormatter, log_to_stderr, redacted

__all__ = ["RedactingFormatter", "log_to_stderr", "redacted"]
