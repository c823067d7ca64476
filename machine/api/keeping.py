"""What keeps a store and this computer clean: ``gc``, ``cache``, and ``import`` of what docker-machine made."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from machine.api.opened import Opened
from machine.api.outcome import Outcome, Outcomes
from machine.errors import PymachineError

if TYPE_CHECKING:
    from machine.compat.adopt import Adopted
    from machine.driver import CacheEntry
    from machine.operations.cache import Cached
    from machine.operations.gc import Survey
    from machine.store.orphans import Orphan


__all__ = ["Cached", "Collected", "Keeping"]


@dataclass(frozen=True, slots=True)
class Collected:
    """What was left behind, and what became of it."""

    survey: Survey
    outcomes: Outcomes[Orphan]  # of each orphan, by the name of the machine that it belonged to

    @property
    def ok(self) -> bool:
        """Whether nothing is left that should be gone, as far as everybody could be asked."""
        return self.outcomes.ok and not self.survey.silent


class Keeping(Opened):
    """See `machine.Client`."""

    def gc(self) -> Collected:
        """Find and remove what carries this store's marks at providers and belongs to no machine. Nobody is asked.

        Raises:
            Cancelled: it was stopped; what is left is found again.
        """
        from machine.errors import Cancelled

        found = self.survey()
        outcomes: Outcomes[Orphan] = Outcomes()
        for orphan in found.orphans:
            try:
                self.collect(orphan)
            except Cancelled:
                raise
            except PymachineError as error:  # the others are still removed
                outcomes.append(Outcome(orphan.machine, error=error))
            else:
                outcomes.append(Outcome(orphan.machine, value=orphan))
        return Collected(found, outcomes)

    def survey(self) -> Survey:
        """What `gc` would remove, as ``orphans``; ``foreign``: with our marks and of another journal, only shown;
        ``silent``: who could not be asked, one line each. Removes nothing.
        """
        from machine.driver import load_driver
        from machine.operations.gc import survey

        return survey(self._store, load_driver)

    def collect(self, orphan: Orphan) -> None:
        """Remove one of those that `survey` found; already gone is success.

        Raises:
            PymachineError: it could not be removed, and is found again.
        """
        from machine.driver import load_driver
        from machine.operations.gc import collect

        try:
            collect(self._store, orphan, load_driver, self._settings())
        except PymachineError as error:
            error.located(machine=orphan.machine)
            raise

    @staticmethod
    def cache_ls() -> Cached:
        """What drivers keep on this computer so that the next machine is made sooner: ``entries``, and the ``errors``
        of drivers that could not be asked. It is no store's: no client need be open.
        """
        from machine.driver import driver_names, load_driver
        from machine.operations.cache import cached

        return cached(driver_names(), load_driver)

    @staticmethod
    def cache_prune(entry: CacheEntry) -> bool:
        """Remove one of those; it is made again when it is needed. False: a machine needs it by now, and it stays.

        Raises:
            PymachineError: it could not be removed.
        """
        from machine.driver import load_driver
        from machine.operations.cache import drop

        return drop(entry, load_driver)

    def import_(self, source: str | None = None, *, dry_run: bool = False) -> Iterator[Adopted]:
        """Take over machines of docker-machine's, with their own certificates; hosts are not touched.

        Args:
            source: its store, which is only read; None: ``MACHINE_STORAGE_PATH``, else ``~/.docker/machine``. (To make
                that directory ours, in place, is the command's alone.)
            dry_run: say what would be done, and change nothing.

        Returns:
            What became of each machine, as it is done: ``problem`` is why one was not taken over.

        Raises:
            UsageError: there is no store of docker-machine's.
        """
        from machine.api.importing import given_source
        from machine.compat.adopt import adopt, check_source

        source = given_source(source)
        check_source(source, self.directory, in_place=False)
        return adopt(None if dry_run else self._store, source)
