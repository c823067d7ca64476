"""Making a plan true: pre-checks first, then group after group, each machine by operations of its own.

Every operation is journalled and can be taken up again, and what is to be done is planned anew each time. So there is
nothing to resume: after a crash, applying again plans what is left.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from dataclasses import dataclass, field

from machine.driver import Driver, declared_options, load_driver
from machine.errors import EndpointUnverified, PreCheckFailed, PymachineError
from machine.fleet.changes import Action, Change, Verb
from machine.fleet.model import WantedMachine
from machine.fleet.onhost import Contents, finish_host
from machine.fleet.schedule import Outcome, Work, schedule
from machine.fleet.survey import Survey
from machine.model import Machine, Spec
from machine.operations.absent import driver_of
from machine.operations.access import change_access
from machine.operations.account import kept_credentials
from machine.operations.create import create, pre_check
from machine.operations.credentials import credentials_to_keep
from machine.operations.lifecycle import provision, start, stop
from machine.operations.many import WORKERS, for_each
from machine.operations.observe import observe
from machine.operations.operation import Operation, Settings
from machine.operations.remove import remove
from machine.operations.resize import resize
from machine.operations.respec import relabel
from machine.operations.wanted import Wanted, again
from machine.ssh.connection import Connection
from machine.store.store import Store

REMOVED = "(removed)"  # the group of what the file does not have any more; no group can be called this


@dataclass(frozen=True, slots=True)
class _First:
    """A machine that is asked about for all that are like it."""

    wanted: WantedMachine

    @property
    def name(self) -> str:
        return self.wanted.name


def apply(
    store: Store,
    found: Survey,
    settings: Settings,
    *,
    parallel: int | None = None,
    max_failures: int | None = None,
    load: Callable[[str], Driver] = load_driver,
    ended: Callable[[Outcome[Change]], None] = lambda _outcome: None,
) -> list[Outcome[Change]]:
    """Do what a plan says; one machine that fails does not stop the others, within the limits of its group.

    Args:
        parallel: at most so many machines at once, over all groups.
        max_failures: for every group, whatever the file says.
        ended: called for each machine as its work ends.

    Returns:
        What came of each change that changes something: first those of the groups, then what is removed.

    Raises:
        PreCheckFailed, UsageError: one of the groups cannot be made; nothing was started anywhere.
    """
    applying = _Applying(store, found, settings, load)
    applying.check()
    works = group_works(found, max_failures)
    return schedule(
        works,
        applying.act,
        look=applying.look,
        account=applying.account,
        parallel=parallel,
        cancellation=settings.cancellation,
        ended=ended,
    )


def group_works(found: Survey, max_failures: int | None = None) -> list[Work[Change]]:
    """The changes of a plan, as a schedule wants them; what the file has no more is removed when all else is there."""
    by_group: dict[str, list[Change]] = {}
    removals = []
    for change in found.plan.pending:
        if change.action is Action.REMOVE:
            removals.append(change)
        else:
            by_group.setdefault(change.group, []).append(change)
    works = []
    for group in found.fleet.groups:
        limits = group.limits
        if max_failures is not None:
            limits = dataclasses.replace(limits, max_failures=max_failures)
        works.append(Work(name=group.name, tasks=by_group.get(group.name, []), depends=group.depends, limits=limits))
    if removals:
        works.append(Work(name=REMOVED, tasks=removals, depends=tuple(group.name for group in found.fleet.groups)))
    return works


@dataclass(slots=True)
class _Applying:
    """What acting needs; its methods are called from many threads."""

    store: Store
    found: Survey
    settings: Settings
    load: Callable[[str], Driver]
    contents: Contents = field(default_factory=Contents)
    wanted: dict[str, WantedMachine] = field(init=False)

    def __post_init__(self) -> None:
        self.wanted = {machine.name: machine for machine in self.found.fleet.machines()}

    def check(self) -> None:
        """Ask every driver whether it can make what is to be made, and read every file that is to be sent."""
        making = [change for change in self.found.plan.pending if Verb.CREATE in change.verbs]
        firsts = {self._kind(change): _First(self.wanted[change.machine]) for change in reversed(making)}
        here = [first for first in firsts.values() if not self._asks(first)]
        asked = [first for first in firsts.values() if self._asks(first)]
        for some, workers in ((here, 1), (asked, WORKERS)):
            for _, outcome in for_each(some, self._check, workers=workers):
                if isinstance(outcome, PymachineError):
                    raise outcome
        for change in self.found.plan.pending:
            for file in self.wanted[change.machine].files if change.machine in self.wanted else ():
                self.contents.of(file)

    def _asks(self, first: _First) -> bool:
        """Whether the check asks a provider: where nothing is made, it looks at files of this computer."""
        try:
            return self.load(self.found.specs.wanted[first.name].spec.driver).capabilities.creates
        except PymachineError:
            return False  # the check itself says it

    def _kind(self, change: Change) -> str:
        wanted = self.found.specs.wanted[change.machine].spec
        return json.dumps([wanted.driver, dict(wanted.options)], sort_keys=True)

    def _check(self, first: _First) -> None:
        one = self.found.specs.wanted[first.name]
        try:
            driver = self.load(one.spec.driver)
            credentials_to_keep(driver, one, saved=_says_secret(driver, one), flags_kept=False)
            pre_check(self.store, one.spec, driver, one.options)
        except PymachineError as error:
            if first.wanted.at is not None:
                error.message = f"{first.wanted.at}: {error.message}"
                error.args = (error.message,)
            if not isinstance(error, PreCheckFailed):
                raise
            hint = "nothing was started anywhere"
            error.hint = f"{error.hint}; {hint}" if error.hint else hint
            raise

    def account(self, change: Change) -> str:
        """Whose rate it counts for: that of the driver with what chooses the account."""
        one = self.found.specs.wanted.get(change.machine)
        if one is None:
            return ""
        chosen = {name: one.spec.options.get(name) for name in ("profile", "region", "project", "account")}
        return json.dumps([one.spec.driver, chosen], sort_keys=True)

    def act(self, change: Change) -> None:
        """The operations of one change, one after the other."""
        for verb in change.verbs:
            self.settings.cancellation.check()
            try:
                self._do(verb, change)
            except PymachineError as error:  # it is the fleet that is gone on with, and not by `create NAME`
                error.hint = (error.hint or "").partition("to go on: ")[0].strip() or None
                raise

    def _do(self, verb: Verb, change: Change) -> None:
        if verb is Verb.CREATE:
            self._create(change)
            return
        machine = self.store.machines.get(change.machine)
        driver = driver_of(self.store, machine)
        if verb is Verb.REMOVE:
            remove(self.store, machine, driver, self.settings)
        elif verb is Verb.STOP:
            stop(self.store, machine, driver, self.settings)
        elif verb is Verb.RESIZE:
            resize(self.store, machine, driver, self.settings, changes=change.resize)
        elif verb is Verb.START:
            start(self.store, machine, driver, self.settings)
        elif verb is Verb.RELABEL:
            relabel(self.store, machine, self._spec(change.machine, machine), self.settings)
        elif verb is Verb.ACCESS:
            change_access(
                self.store,
                machine,
                driver,
                self.settings,
                spec=self._spec(change.machine, machine),
                changed=change.access,
                after=self._after(change),
            )
        else:
            provision(
                self.store,
                machine,
                driver,
                self.settings,
                spec=self._spec(change.machine, machine),
                after=self._after(change),
            )

    def _create(self, change: Change) -> None:
        one, wanted = self.found.specs.wanted[change.machine], self.wanted[change.machine]
        driver = self.load(one.spec.driver)
        begun = self.store.machines.find(change.machine) if change.action is Action.FINISH else None
        if begun is not None:
            # What was begun is finished to the letter; what is wanted otherwise by now comes after.
            kept = kept_credentials(self.store.files(begun.name))
            one = again(begun.spec, driver, kept)
        keep = credentials_to_keep(driver, one, saved=_says_secret(driver, one), flags_kept=False)
        create(
            self.store,
            one.spec,
            driver,
            one.options,
            self.settings,
            keep=keep.values,
            after=self._after(change) if wanted.files or wanted.commands or begun is not None else None,
        )

    def _spec(self, name: str, machine: Machine) -> Spec:
        """What is wanted of a machine that exists: it keeps the name under which it is recorded."""
        return dataclasses.replace(self.found.specs.wanted[name].spec, name=machine.name)

    def _after(self, change: Change) -> Callable[[Operation, Connection], None]:
        wanted = self.wanted[change.machine]
        return lambda op, connection: finish_host(op, connection, wanted, self.contents, change.put_back)

    def look(self, change: Change) -> None:
        """Whether a machine that was changed does its work.

        Raises:
            EndpointUnverified: its endpoint does not answer with its certificate, or the engine does not.
        """
        machine = self.store.machines.get(change.machine)
        (seen,) = observe(self.store, [machine], self.load)
        plain = machine.endpoint is not None and machine.endpoint.route == "plain"
        if seen.engine is None and not plain:
            raise EndpointUnverified(
                f"{machine.name} was changed and does not do its work",
                layer="endpoint",
                machine=machine.name,
                cause=seen.trouble or "the engine does not answer",
                hint=f"look at it: pymachine status {machine.name}; pymachine ssh {machine.name}",
            )


def _says_secret(driver: Driver, one: Wanted) -> bool:
    """Whether the file says a secret of the driver: it is kept then, for no later command reads that file."""
    return any(each.info.secret and one.sources.get(each.name) == each.flag for each in declared_options(driver))
