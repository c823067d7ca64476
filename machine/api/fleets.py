"""Fleets for programs: a file that says which machines there shall be, the plan of it, and its apply."""

from __future__ import annotations

import os
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from machine.api.opened import Opened
from machine.api.outcome import Outcome, Outcomes
from machine.errors import PymachineError, UsageError

if TYPE_CHECKING:
    from machine.fleet import schedule
    from machine.fleet.changes import Change, Plan
    from machine.fleet.drift import Drift
    from machine.fleet.model import Fleet
    from machine.fleet.status import Standing
    from machine.fleet.survey import Survey

_NOTHING: Mapping[str, str] = MappingProxyType({})


class Fleets(Opened):
    """See `machine.Client`."""

    def fleet(
        self,
        file: str | os.PathLike[str] = "fleet.yaml",
        *,
        variables: Mapping[str, str] = _NOTHING,
        environ: Mapping[str, str] = os.environ,
    ) -> FleetFile:
        """Read a fleet's file, with all it includes, and check it; nobody is asked, and nothing is changed.

        Args:
            variables: values of the file's variables; those that it takes from the environment are in ``environ``.

        Raises:
            UsageError: it cannot be meant; all reasons at once, each with file, line and column.
            PreCheckFailed: a driver that it names cannot be loaded.
        """
        from machine.fleet.document import load_fleet

        return FleetFile(self, load_fleet(os.fspath(file), environ, variables))


class FleetFile:
    """A fleet as it is wanted. Its methods have the names of the commands below ``pymachine fleet``."""

    def __init__(self, opened: Opened, fleet: Fleet) -> None:
        self._opened = opened
        self.wanted = fleet

    @property
    def name(self) -> str:
        """The fleet's: what its machines are chosen by."""
        return self.wanted.name

    @property
    def warnings(self) -> tuple[str, ...]:
        """What should be known of the file, one line each, with its place: a secret in it, say."""
        return self.wanted.warnings

    def plan(self, *, recorded: bool = False) -> Plan:
        """What `apply` would create, change, replace and remove, and why.

        Args:
            recorded: ask no provider and no host; believe what is recorded.

        Returns:
            ``pending``: the changes that change something; each has its ``machine``, ``action`` and ``reasons``.

        Raises:
            UsageError, NameTaken: there can be no plan.
        """
        return self._survey(look=not recorded).plan

    def apply(
        self, plan: Plan | None = None, *, max_failures: int | None = None, wait: bool = True
    ) -> Outcomes[Change]:
        """Make the machines as the file says. Nobody is asked: what the plan removes and replaces is gone.

        What was cut off goes on when it is repeated; what is as wanted is left alone, and what the file did not make is
        never touched.

        Args:
            plan: do just that, or nothing where it is not the plan any more.
            max_failures: begin nothing more of a group in which more than so many failed; None: as the file says.
            wait: for another apply of the same fleet.

        Returns:
            What came of each change; of one that was not begun the error says why.

        Raises:
            UsageError: the plan is stale.
            OperationInProgress: another apply is at it, and is not waited for.
            PreCheckFailed: one of the groups cannot be made; nothing was started anywhere.
        """
        from machine.fleet.apply import apply
        from machine.fleet.lock import fleet_lock

        opened = self._opened
        with fleet_lock(opened.directory, self.name, opened.cancellation, wait=wait):
            found = self._survey(look=True)
            if plan is not None and plan.digest != found.plan.digest:
                raise UsageError(
                    f"the plan of {self.name} is stale",
                    cause="the file, the machines, or what was seen of them is not what it was made from",
                    hint="make another, and look at it",
                )
            settings, parallel = opened._settings(), opened._how.parallel
            return _outcomes(apply(opened._store, found, settings, parallel=parallel, max_failures=max_failures))

    def destroy(self, *, wait: bool = True) -> Outcomes[Change]:
        """Remove all machines that the fleet has made. Nobody is asked.

        Args:
            wait: for an apply of the same fleet.

        Raises:
            OperationInProgress: an apply is at it, and is not waited for.
        """
        from machine.fleet.destroy import destroy, owned
        from machine.fleet.lock import fleet_lock

        opened = self._opened
        with fleet_lock(opened.directory, self.name, opened.cancellation, wait=wait):
            machines = owned(opened._store, self.name)
            settings, parallel = opened._settings(), opened._how.parallel
            return _outcomes(destroy(opened._store, self.wanted, machines, settings, parallel=parallel))

    def status(self, *, recorded: bool = False) -> list[Standing]:
        """Each machine as it is wanted, recorded and seen.

        Args:
            recorded: ask no provider and no host.
        """
        from machine.fleet.status import standings

        return standings(self._survey(look=not recorded))

    def diff(self) -> Outcomes[Drift]:
        """What has changed at providers and on hosts since the last apply: only machines that are not as they were
        left, and those whose host could not be asked.
        """
        from machine.fleet.drift import drift

        came = drift(self._opened._store, self._survey(look=True), self._opened._settings(timeout=30.0))
        return Outcomes(
            Outcome(name, error=each) if isinstance(each, PymachineError) else Outcome(name, value=each)
            for name, each in came
        )

    def graph(self, form: str = "svg") -> str:
        """A picture of the groups and of what they wait for.

        Args:
            form: ``svg``, ``dot`` or ``mermaid``.

        Raises:
            UsageError: another one.
        """
        from machine.fleet.graph import as_dot, as_mermaid, as_svg, boxes

        groups = boxes(self.wanted, self._opened._store.machines.all())
        if form == "svg":
            return as_svg(self.wanted, groups)
        if form == "dot":
            return as_dot(self.wanted, groups)
        if form == "mermaid":
            return as_mermaid(groups)
        raise UsageError(f"{form!r} is not one of svg, dot, mermaid")

    def _survey(self, *, look: bool) -> Survey:
        from machine.fleet.survey import survey
        from machine.store.config import read_config

        return survey(self._opened._store, self.wanted, read_config(self._opened.directory), look=look)


def _outcomes(came: list[schedule.Outcome[Change]]) -> Outcomes[Change]:
    outcomes: Outcomes[Change] = Outcomes()
    for each in came:
        name, error = each.task.machine, each.error
        if each.skipped:
            error = PymachineError(f"not begun: {each.skipped}", machine=name)
        outcomes.append(Outcome(name, value=each.task if error is None else None, error=error))
    return outcomes
