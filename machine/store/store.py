"""A store, opened: its rooms in one place."""

from __future__ import annotations

import os
from collections.abc import Callable

from machine.store.database import Database
from machine.store.files import Files
from machine.store.heartbeat import Heartbeats
from machine.store.history import History
from machine.store.journal import Journal
from machine.store.lease import Entry
from machine.store.location import MACHINES
from machine.store.machines import Machines
from machine.store.notes import StoredNotes
from machine.store.orphans import Orphans


class Store:
    """Everything remembered under one directory. Paths inside are relative: the directory can be moved.

    Args:
        directory: as `machine.store.location.store_directory` found it; made when it is not there.
        beside: it may hold another program's machines, which are being taken over.
    """

    def __init__(self, directory: str, *, beside: bool = False) -> None:
        self.directory = directory
        self.database = Database(directory, beside=beside)
        self.machines = Machines(self.database)
        self.journal = Journal(self.database)
        self.history = History(self.database)
        self.heartbeats = Heartbeats(self.database, self.journal)
        self.orphans = Orphans(self.database)
        self.notes = StoredNotes(self.database)
        self.logs = Files(os.path.join(directory, "logs"))
        self.certs = Files(os.path.join(directory, "certs"))
        self.left = Files(os.path.join(directory, "orphans"))  # credentials of what `rm -f` left at a provider
        # Called with a machine's name when an operation on it has ended.
        self.on_change: Callable[[str], None] = lambda _name: None

    @property
    def id(self) -> str:
        """What marks everything this store makes: 16 hexadecimal digits."""
        return self.database.store_id

    def files(self, machine: str) -> Files:
        """The files of one machine."""
        return Files(self._machine_directory(machine))

    def fenced_files(self, machine: str, entry: Entry) -> Files:
        """The same for an operation: they change only while the machine is still its own."""
        return Files(self._machine_directory(machine), before_change=lambda: self.journal.check_fence(entry))

    def _machine_directory(self, machine: str) -> str:
        return os.path.join(self.directory, MACHINES, machine)

    def close(self) -> None:
        """Give the database back."""
        self.database.close()
