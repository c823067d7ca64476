"""The files and commands of a machine, compared with what is recorded as done on its host. Pure.

`Machine.applied` is ``{"instance": id, "files": {target: state}, "commands": {digest of the text: state of the
files}}``. What is recorded for another instance than the one that is there counts for nothing.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from machine.fleet.model import CommandOnHost, FileOnHost, WantedMachine


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkLeft:
    """What is left to do on a host."""

    files: tuple[FileOnHost, ...] = ()
    commands: tuple[CommandOnHost, ...] = ()
    dropped: tuple[str, ...] = ()  # files of the fleet that it does not have any more

    def reasons(self, known: Collection[str] = ()) -> list[str]:
        """Each in words, but for the files whose reasons are known."""
        return [
            *(f"file {each.target}" for each in self.files if each.target not in known),
            *(f"command {brief(each.run)}" for each in self.commands),
            *(f"file {target}: not of the fleet any more, and stays on the host" for target in self.dropped),
        ]


def work_left(wanted: WantedMachine, applied: Mapping[str, Any], instance: str | None) -> WorkLeft:
    """What of a machine's files and commands is not done on its host.

    Args:
        applied: what is recorded as done.
        instance: the id of the instance that is there; None: there is none yet.
    """
    done = of_instance(applied, instance)
    there: Mapping[str, str] = done["files"]
    files = tuple(each for each in wanted.files if there.get(each.target) != file_state(each))
    targets = {each.target for each in wanted.files}
    commands = {each.run: each for each in wanted.commands if _to_be_run(each, wanted, done["commands"])}
    return WorkLeft(
        files=files,
        commands=tuple(commands.values()),
        dropped=tuple(target for target in there if target not in targets),
    )


def of_instance(applied: Mapping[str, Any], instance: str | None) -> dict[str, Any]:
    """What is recorded as done on the host that is there."""
    if applied.get("instance") != instance:
        applied = {}
    return {
        "instance": instance,
        "files": dict(applied.get("files", {})),
        "commands": dict(applied.get("commands", {})),
    }


def forgotten(applied: Mapping[str, Any], wanted: WantedMachine, targets: Collection[str]) -> dict[str, Any]:
    """What is recorded as done, without these files, and without the commands that watch files: they run again.

    Args:
        applied: as `of_instance` returns it.
    """
    if not targets:
        return dict(applied)
    watching = {command_key(each) for each in wanted.commands if each.when == "changed"}
    return {
        **applied,
        "files": {target: state for target, state in applied["files"].items() if target not in targets},
        "commands": {key: state for key, state in applied["commands"].items() if key not in watching},
    }


def file_state(file: FileOnHost) -> str:
    """A file as it shall be, in a word: content, mode, owner."""
    return f"{file.digest} {file.mode:04o} {file.owner}"


def files_state(files: Sequence[FileOnHost]) -> str:
    """All files of a machine in a word: what a command that runs when they change was run with."""
    text = "\n".join(sorted(f"{each.target} {file_state(each)}" for each in files))
    return hashlib.sha256(text.encode()).hexdigest()


def command_key(command: CommandOnHost) -> str:
    """Under what a command is recorded: never its text, which may hold a password."""
    return hashlib.sha256(command.run.encode()).hexdigest()


def brief(text: str) -> str:
    """A command for one line of a screen."""
    line = " ".join(text.split())
    return line if len(line) <= 60 else f"{line[:59]}…"


def _to_be_run(command: CommandOnHost, wanted: WantedMachine, done: Mapping[str, str]) -> bool:
    last = done.get(command_key(command))
    return last is None or (command.when == "changed" and last != files_state(wanted.files))
