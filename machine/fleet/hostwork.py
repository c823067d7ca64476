"""The files and commands of a fleet file: what shall be on a host beyond an engine and its endpoint."""

from __future__ import annotations

import hashlib
import os
import re
import stat

from machine.fleet.model import CommandOnHost, FileOnHost, Position
from machine.fleet.problems import Problems
from machine.fleet.tree import List, Map

_MODE = re.compile(r"(?:0|0o)?([0-7]{3,4})\Z")


class FileReader:
    """Files for hosts, each read once however many machines get it."""

    def __init__(self, problems: Problems) -> None:
        self._problems = problems
        self._digests: dict[str, str | None] = {}

    def files(self, said: List) -> tuple[FileOnHost, ...]:
        """What was said, with the digests of the content as it is now. What the schema found wrong is left out."""
        found: dict[str, FileOnHost] = {}
        for each, at in zip(said, said.items_at, strict=True):
            file = self._file(each, at) if isinstance(each, Map) else None
            if file is None:
                continue
            if file.target in found:
                first = found[file.target].at
                self._problems.add(at, f"{file.target} is said twice; the other one is at {first}")
            found[file.target] = file
        return tuple(found.values())

    def _file(self, said: Map, at: Position) -> FileOnHost | None:
        source, target = said.get("source"), said.get("target")
        if not isinstance(source, str) or not isinstance(target, str):
            return None
        if any(part in (".", "..") for part in target.split("/")):
            self._problems.add(said.values_at["target"], f"target: {target!r} is written without . and ..")
            return None
        place = said.values_at["source"]
        if not source:
            self._problems.add(place, "source is empty: it names a file, relative to the fleet file")
            return None
        path = os.path.abspath(os.path.join(os.path.dirname(place.file), os.path.expanduser(source)))
        digest = self._digest(path, source, place)
        mode = _MODE.match(said.text("mode")) if "mode" in said else None
        if "mode" in said and mode is None:
            self._problems.add(said.values_at["mode"], f"mode: {said.text('mode')} is not octal, such as 0644")
        if digest is None:
            return None
        return FileOnHost(
            source=path,
            target=target,
            mode=int(mode[1], 8) if mode else 0o644,
            owner=str(said.get("owner", "root:root")),
            digest=digest,
            at=at,
        )

    def _digest(self, path: str, source: str, at: Position) -> str | None:
        """SHA-256 of a file's content; None when it cannot be read."""
        if path not in self._digests:
            self._digests[path] = None
            try:
                # Looked at before it is opened: to open a pipe would be to wait for somebody.
                kind = os.stat(path).st_mode
                if stat.S_ISDIR(kind):
                    self._problems.add(at, f"{source} is a directory: name its files, one by one")
                elif not stat.S_ISREG(kind):
                    self._problems.add(at, f"{source} is no file")
                else:
                    self._digests[path] = _sha256(path)
            except (OSError, ValueError) as error:
                reason = error.strerror if isinstance(error, OSError) else "no file has a NUL in its name"
                self._problems.add(at, f"{source} cannot be read: {reason} ({path})")
        return self._digests[path]


def _sha256(path: str) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while part := file.read(1 << 20):
            digest.update(part)
    return digest.hexdigest()


def commands(said: List, problems: Problems) -> tuple[CommandOnHost, ...]:
    """The commands that were said. What the schema found wrong is left out."""
    found: dict[str, CommandOnHost] = {}
    for each, at in zip(said, said.items_at, strict=True):
        run = each.get("run") if isinstance(each, Map) else each
        if not isinstance(run, str):
            continue
        when = str(each.get("when", "once")) if isinstance(each, Map) else "once"
        if not run.strip():
            problems.add(at, "a command is empty")
        elif "\0" in run:
            problems.add(at, "no command has a NUL in it")
        elif run in found:
            # What has been run on a host is remembered by its text.
            problems.add(at, f"this command is said twice; the other one is at {found[run].at}")
        found[run] = CommandOnHost(run=run, when=when, at=at)
    return tuple(found.values())
