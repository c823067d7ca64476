"""One thread that keeps the leases of this process alive, however many operations it runs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from machine.errors import Cancelled, OperationInProgress, PymachineError, StoreError
from machine.store.database import Database
from machine.store.journal import Journal
from machine.store.lease import HEARTBEAT_SECONDS, Entry, taken_over

OnStop = Callable[[PymachineError], None]


class Heartbeats:
    """The leases that are kept alive; the thread lives from the first to the last of them."""

    def __init__(self, database: Database, journal: Journal, *, seconds: float = HEARTBEAT_SECONDS) -> None:
        self._database = database
        self._journal = journal
        self._seconds = seconds
        self._lock = threading.Lock()
        self._kept: dict[int, tuple[Entry, OnStop]] = {}
        self._wake: threading.Event | None = None

    def keep(self, entry: Entry, on_stop: OnStop) -> None:
        """Keep a lease alive from now on.

        Args:
            on_stop: called once, from the thread, when the operation was taken over or somebody asked to cancel it.
        """
        with self._lock:
            self._kept[entry.id] = (entry, on_stop)
            if self._wake is None:
                self._wake = threading.Event()
                threading.Thread(target=self._beat, args=(self._wake,), name="heartbeat", daemon=True).start()

    def release(self, entry: Entry) -> None:
        """Stop keeping it: the operation has ended."""
        with self._lock:
            self._kept.pop(entry.id, None)
            if not self._kept and self._wake is not None:
                self._wake.set()
                self._wake = None

    def _beat(self, wake: threading.Event) -> None:
        while not wake.wait(self._seconds):
            with self._lock:
                kept = list(self._kept.values())
            try:
                lost = [(entry, error) for entry, _ in kept if (error := self._renew(entry)) is not None]
            except StoreError:
                continue  # a full disk: the operation itself finds out, at its next step
            for entry, error in lost:
                with self._lock:
                    found = self._kept.pop(entry.id, None)
                if found is not None:
                    found[1](error)

    def _renew(self, entry: Entry) -> PymachineError | None:
        with self._database.write() as db:
            rows = db.execute(
                "UPDATE operations SET heartbeat = ? WHERE id = ? AND epoch = ? RETURNING cancel_requested",
                (time.time(), entry.id, entry.epoch),
            ).fetchall()
        if not rows:
            return taken_over()
        try:
            self._journal.catch_up(entry)  # others may be watching a step that takes long
        except OperationInProgress as lost:  # since then
            return lost
        return Cancelled("another command asked to cancel it") if rows[0]["cancel_requested"] else None
