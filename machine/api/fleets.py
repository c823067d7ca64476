"""Fleets for programs: a file that says which machines there shall be, the plan of it, and its apply."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, TypeAlias

from machine.api.choosing import Labels, Names, chosen
from machine.api.opened import Opened, outcomes_of
from machine.api.outcome import Outcome, Outcomes
from machine.errors import MachineNotFound, NotBegun, PymachineError, UsageError

if TYPE_CHECKING:
    from machine.fleet import schedule
    from machine.fleet.changes import Change, Plan
    from machine.fleet.drift import Drift
    from machine.fleet.model import Fleet
    from machine.fleet.status import Standing
    from machine.fleet.survey import Survey
    from machine.model import Machine
    from machine.operations.operation import Settings

OnEnd: TypeAlias = "Callable[[schedule.Outcome[Change]], None]"
"""Called as the work on each machine ends, from many threads; once more where a look at it changes that."""

_NOTHING: Mapping[str, str] = MappingProxyType({})
_HOST_SECONDS = 30.0  # for looking at a host


class Fleets(Opened):
    """See `machine.Client`."""

    def fleet(
        self,
        file: str | os.PathLike[str] | Fleet = "fleet.yaml",
        *,
        variables: Mapping[str, str] = _NOTHING,
        environ: Mapping[str, str] = os.environ,
    ) -> FleetFile:
        """Read a fleet's file, with all it includes, and check it; nobody is asked, and nothing is changed.

        Args:
            file: its path; or what `machine.fleet.document.load_fleet` made of it.
            variables: values of the file's variables; those that it takes from the environment are in ``environ``.

        Raises:
            UsageError: it cannot be meant; all reasons at once, each with file, line and column.
            PreCheckFailed: a driver that it names cannot be loaded.
        """
        from machine.fleet.document import load_fleet
        from machine.fleet.model import Fleet

        read = file if isinstance(file, Fleet) else load_fleet(os.fspath(file), environ, variables)
        return FleetFile(self, read)

    def fleet_import(
        self,
        name: str,
        names: Names | None = None,
        *,
        fleet: str | None = None,
        group: str | None = None,
        labels: Labels | None = None,
    ) -> str:
        """The text of a fleet's file that says what is there already; `FleetFile.adopt` lets the fleet have it.

        Args:
            name: what the fleet is called.
            The others: which machines; nothing said: all that no fleet has.

        Raises:
            MachineNotFound: there is none.
        """
        from machine.fleet.importing import as_yaml, fleet_document
        from machine.operations.absent import driver_or_stand_in

        found = chosen(self._store, names, fleet, group, labels, all_by_default=True)
        if names is None and not (fleet or group or labels):
            found = [machine for machine in found if not machine.spec.fleet]
            if not found:
                hint = "see them all: pymachine ls -o wide"
                raise MachineNotFound("there is no machine that no fleet has", hint=hint)
        return as_yaml(fleet_document(name, found, driver_or_stand_in))


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

    def plan(self, *, recorded: bool = False, hosts: bool = False) -> Plan:
        """What `apply` would create, change, replace and remove, and why.

        Args:
            recorded: ask no provider and no host; believe what is recorded.
            hosts: also log in to every host, and plan to put back what was changed on it.

        Returns:
            ``pending``: the changes that change something; each has its ``machine``, ``action`` and ``reasons``.
            ``unknown``: the machines whose hosts were to be asked and did not say, and why.

        Raises:
            UsageError, NameTaken: there can be no plan.
        """
        return self.survey(recorded=recorded, hosts=hosts).plan

    def apply(
        self,
        plan: Plan | None = None,
        *,
        hosts: bool = False,
        agree: Callable[[Plan], bool] | None = None,
        max_failures: int | None = None,
        wait: bool = True,
        on_wait: Callable[[str], None] | None = None,
        on_end: OnEnd | None = None,
    ) -> Outcomes[Change]:
        """Make the machines as the file says. Unless ``agree`` asks, what is to be removed or replaced is gone.

        What was cut off goes on when it is repeated; what is as wanted is left alone, and what the file did not make is
        never touched.

        Args:
            plan: do just that, or nothing where it is not the plan any more.
            hosts: also put back what was changed on hosts, see `plan`; a plan knows for itself.
            agree: called with the plan as it is now, before anything is done; False: nothing is.
            max_failures: begin nothing more of a group in which more than so many failed; None: as the file says.
            wait: for another apply of the same fleet.
            on_wait: called once with who is waited for.
            on_end: called as the work on each machine ends.

        Returns:
            What came of each change; `NotBegun` of one that was not begun.

        Raises:
            UsageError: the plan is stale.
            OperationInProgress: another apply is at it, and is not waited for.
            PreCheckFailed: one of the groups cannot be made; nothing was started anywhere.
        """
        from machine.fleet.apply import apply
        from machine.fleet.lock import fleet_lock

        opened = self._opened
        with fleet_lock(opened.directory, self.name, opened.cancellation, wait=wait, on_wait=on_wait or _nothing):
            found = self.survey(hosts=hosts if plan is None else plan.hosts)
            if plan is not None and plan.digest != found.plan.digest:
                raise UsageError(
                    f"the plan of {self.name} is stale",
                    cause="the file, the machines, or what was seen of them is not what it was made from",
                    hint="make another, and look at it",
                )
            if agree is not None and not agree(found.plan):
                return Outcomes()
            came = apply(
                opened._store,
                found,
                opened._settings(),
                parallel=opened._how.parallel,
                max_failures=max_failures,
                ended=on_end or _nothing,
            )
            return _outcomes(came)

    def destroy(
        self,
        *,
        agree: Callable[[list[Machine]], bool] | None = None,
        wait: bool = True,
        on_wait: Callable[[str], None] | None = None,
        on_end: OnEnd | None = None,
    ) -> Outcomes[Change]:
        """Remove all machines that the fleet has made. Unless ``agree`` asks, nobody is asked.

        Args:
            agree: called with the machines, before anything is done; False: nothing is.
            wait: for an apply of the same fleet.
            on_wait, on_end: as `apply`.

        Raises:
            OperationInProgress: an apply is at it, and is not waited for.
        """
        from machine.fleet.destroy import destroy, owned
        from machine.fleet.lock import fleet_lock

        opened = self._opened
        with fleet_lock(opened.directory, self.name, opened.cancellation, wait=wait, on_wait=on_wait or _nothing):
            machines = owned(opened._store, self.name)
            if agree is not None and not agree(machines):
                return Outcomes()
            settings, parallel, ended = opened._settings(), opened._how.parallel, on_end or _nothing
            return _outcomes(destroy(opened._store, self.wanted, machines, settings, parallel=parallel, ended=ended))

    def adopt(self) -> Outcomes[Machine]:
        """Let the fleet have the machines of its names that are nobody's: from then on it may change and remove them.

        Nothing on the machines changes.

        Raises:
            NameTaken: one of them is another fleet's; none was adopted.
            MachineNotFound: there is none to adopt.
        """
        from machine.fleet.adopt import adopt

        return outcomes_of(adopt(self._opened._store, self.wanted, self._opened._settings()))

    def status(self, *, recorded: bool = False) -> list[Standing]:
        """Each machine as it is wanted, recorded and seen.

        Args:
            recorded: ask no provider and no host.
        """
        from machine.fleet.status import standings

        return standings(self.survey(recorded=recorded))

    def diff(self) -> Outcomes[Drift]:
        """What has changed at providers and on hosts since the last apply: only machines that are not as they were
        left, and those whose host could not be asked. `apply` with ``hosts`` puts it back.
        """
        from machine.fleet.drift import drift

        return Outcomes(
            Outcome(name, error=each) if isinstance(each, PymachineError) else Outcome(name, value=each)
            for name, each in drift(self._survey(hosts=self._opened._settings(timeout=_HOST_SECONDS)))
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

    def survey(self, *, recorded: bool = False, hosts: bool = False) -> Survey:
        """A plan, with the fleet, the machines and what was seen of them that it was made from; as `plan`."""
        if recorded and hosts:
            raise UsageError("to believe what is recorded and to ask the hosts do not go together")
        settings = self._opened._settings(timeout=_HOST_SECONDS) if hosts else None
        if settings is not None:  # a timeout that was said is one for a whole operation
            settings.timeout = min(settings.timeout, _HOST_SECONDS)
        return self._survey(recorded=recorded, hosts=settings)

    def _survey(self, *, recorded: bool = False, hosts: Settings | None) -> Survey:
        from machine.fleet.survey import survey
        from machine.store.config import read_config

        opened = self._opened
        return survey(opened._store, self.wanted, read_config(opened.directory), look=not recorded, hosts=hosts)


def _nothing(_said: object) -> None:
    pass


def _outcomes(came: list[schedule.Outcome[Change]]) -> Outcomes[Change]:
    outcomes: Outcomes[Change] = Outcomes()
    for each in came:
        name, error = each.task.machine, each.error
        if each.skipped:
            error = NotBegun(each.skipped, machine=name)
        outcomes.append(Outcome(name, value=each.task if error is None else None, error=error))
    return outcomes
