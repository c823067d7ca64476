"""JSON lines to and from the operator."""

from __future__ import annotations

import json
import select
import time

from machine.agent.errors import Failed, Gone
from machine.agent.text import printable

TYPE_CHECKING = False  # `typing` would cost a converge with nothing to do 4 ms
if TYPE_CHECKING:
    from typing import Any, BinaryIO, Protocol

    class Sink(Protocol):
        def write(self, data: bytes, /) -> object: ...
        def flush(self) -> object: ...
        def fileno(self) -> int: ...


MAX_LINE = 1 << 20


class Wire:
    """Says what happens, asks for what only the operator has. What is said is one line, without control characters."""

    def __init__(self, source: BinaryIO | None, sink: Sink) -> None:
        self._source, self._sink = source, sink
        self._gone = self._unsent = False
        self._step, self._since = "", 0.0

    def begin(self, step: str, text: str = "") -> None:
        """A step begins.

        Raises:
            Gone: nobody listens any more, so it must not.
        """
        if self._gone or self._left():
            raise Gone
        self._step, self._since = step, time.monotonic()
        if text:
            self._say("begun", text)
        elif self._unsent:
            self._flush()

    def progress(self, text: str) -> None:
        """Something to watch. An operator who left is noticed at the next step: what was begun is finished first."""
        self._say("progress", text)

    def warn(self, text: str) -> None:
        """Something to know."""
        self._say("warning", text)

    def done(self, text: str = "") -> None:
        """The step is done."""
        if text:
            self._say("done", text, flush=False)  # the next step, or what ends the conversation, is near

    def ask(self, need: str, **fields: Any) -> dict[str, Any]:
        """Ask the operator, and wait for the answer.

        Raises:
            Gone: there was none.
        """
        self._send({"need": need, **fields})
        return self.receive()

    def receive(self) -> dict[str, Any]:
        """One line of the operator's.

        Raises:
            Gone: the connection ended.
            Failed: what came is no JSON object.
        """
        line = self._source.readline(MAX_LINE) if self._source else b""
        if not line.endswith(b"\n"):
            raise Gone
        try:
            value = json.loads(line)
        except ValueError as error:
            raise Failed("protocol", "the operator's line is not JSON", str(error)) from None
        if not isinstance(value, dict):
            raise Failed("protocol", "the operator's line is not a JSON object")
        return value

    def finish(self, result: dict[str, Any]) -> None:
        """The last line: it worked."""
        self._send({"result": result})

    def fail(self, error: Failed) -> None:
        """The last line: it did not."""
        parts = {"code": error.code, "message": error.message, "cause": error.cause, "hint": error.hint}
        self._send({"error": {name: printable(text, 1000) for name, text in parts.items()}})

    def _say(self, status: str, text: str, *, flush: bool = True) -> None:
        elapsed = round(time.monotonic() - self._since, 3)
        self._send({"step": self._step, "status": status, "text": printable(text), "elapsed": elapsed}, flush=flush)

    def _send(self, value: dict[str, Any], *, flush: bool = True) -> None:
        try:
            self._sink.write(json.dumps(value).encode() + b"\n")
        except OSError:
            self._gone = True
        self._unsent = True
        if flush:
            self._flush()

    def _flush(self) -> None:
        try:
            self._sink.flush()
        except OSError:
            self._gone = True
        self._unsent = False

    def _left(self) -> bool:
        """Whether nobody reads what we say; where that cannot be asked, the next line finds out."""
        try:
            poll = select.poll()
            poll.register(self._sink.fileno(), 0)  # asked for nothing: of an end it tells all the same
            return bool(poll.poll(0))
        except (AttributeError, OSError, ValueError):
            return False
