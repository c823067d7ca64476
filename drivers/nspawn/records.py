"""What is remembered on this computer: one file per machine and one for what they share, each replaced as a whole."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from machine.drivers.nspawn.layout import Layout
from machine.errors import DriverError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_Kind = TypeVar("_Kind", bound="DataclassInstance")


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """A machine, as written before the first thing of it is made."""

    id: str
    token: str
    store: str  # whose it is
    machine: str  # the name the operator gave
    authorized_key: str
    base: str  # the directory below the overlay
    address: str
    cpus: float | None = None
    memory: int | None = None  # bytes
    adapted: bool = False  # everything for the first boot is in its root file system


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """What all machines share."""

    subnet: str


def read_record(layout: Layout, id: str) -> Record | None:
    """One machine; None: there is none, or it died before its record was written.

    Raises:
        DriverError: there is a record and it cannot be understood.
    """
    return read_as(layout.place(id).record, Record)


def write_record(layout: Layout, record: Record) -> None:
    """Remember a machine, durably."""
    write_as(layout.place(record.id).record, record)


def all_records(layout: Layout) -> Iterator[Record]:
    """Every machine of this computer, whoever's it is."""
    for directory in _directories(layout.machines):
        record = read_record(layout, directory.name)
        if record is not None:
            yield record


def any_machine(layout: Layout) -> bool:
    """Whether anything of any machine is left, a half-made one too."""
    return bool(_directories(layout.machines))


def read_network(layout: Layout) -> Network | None:
    """What the machines share; None: no machine was made yet."""
    return read_as(layout.network, Network)


def write_network(layout: Layout, network: Network) -> None:
    """Remember what the machines share, durably."""
    write_as(layout.network, network)


def write_as(path: Path, value: DataclassInstance) -> None:
    """Replace the file of a dataclass as a whole: after a power cut it is the old one or the new one."""
    new = _new(path)
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with open(handle, "w", encoding="utf-8") as file:
        json.dump(dataclasses.asdict(value), file, indent=1)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def read_as(path: Path, kind: type[_Kind]) -> _Kind | None:
    """A dataclass from its file; None: there is no file.

    Raises:
        DriverError: the file cannot be read or understood.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise DriverError(f"cannot read {path}", cause=error.strerror) from error
    try:
        known = kind.__dataclass_fields__
        # A newer pymachine may have written more: what is not known here is not needed here.
        return kind(**{name: value for name, value in json.loads(text).items() if name in known})
    except (ValueError, TypeError, AttributeError) as error:
        raise DriverError(
            f"{path} is damaged", cause=str(error), hint=f"look at {path.parent}; nothing was changed"
        ) from error


def forget(path: Path) -> None:
    """Remove a dataclass's file, and what a killed ``write_as`` left of it; already gone is fine."""
    path.unlink(missing_ok=True)
    _new(path).unlink(missing_ok=True)


def _new(path: Path) -> Path:
    return path.with_name(path.name + ".new")


def _directories(path: Path) -> list[Path]:
    try:
        return sorted(entry for entry in path.iterdir() if entry.is_dir())
    except FileNotFoundError:
        return []
