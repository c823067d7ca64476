"""What makes machines: ``create``, one or many, and what can be known and done before and after."""

from __future__ import annotations

import dataclasses
import difflib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from machine.api.opened import TIMEOUT, Opened
from machine.api.outcome import Outcome, Outcomes
from machine.driver import Driver, HostIdentity, declared_options, driver_names, load_driver
from machine.errors import Cancelled, PreCheckFailed, PymachineError, UsageError
from machine.model import Event, Machine, Spec

if TYPE_CHECKING:
    from machine.operations.createmany import Plan
    from machine.operations.explanation import Explanation
    from machine.store.config import Config

__all__ = ["ON_FAILURE", "Chosen", "Explanation", "Making", "Plan", "choose_driver", "numbered"]

_NOTHING: Mapping[str, Any] = MappingProxyType({})
ON_FAILURE = ("keep", "rollback")


@dataclass(frozen=True, slots=True)
class Chosen:
    """Who makes a host."""

    driver: Driver
    note: str = ""  # one line for people: it is not what they said
    why: str = ""  # and one: why it is the best local one; empty: it was said


class Making(Opened):
    """See `machine.Client`."""

    def create(
        self,
        name: str,
        *,
        driver: str | Driver | None = None,
        options: Mapping[str, Any] = _NOTHING,
        engine: Mapping[str, Any] = _NOTHING,
        tls_san: Sequence[str] = (),
        host_key_policy: str | None = None,
        labels: Mapping[str, str] = _NOTHING,
        join: bool = False,
        save_credentials: bool = False,
        on_failure: str = "keep",
    ) -> Machine:
        """Create a machine: a host with an engine and a verified TLS endpoint.

        One that was interrupted goes on when it is repeated; with nothing said but the name, as it was begun.

        Args:
            driver: who makes the host; None: as ``MACHINE_DRIVER`` or the configuration say, else the best local one.
            options: the driver's, by the names of its flags without ``--DRIVER-``: ``{"memory": "2g"}``.
            engine: fields of `machine.model.EngineSpec`: ``{"version": "24.0", "labels": ("role=ci",)}``.
            tls_san: further names and addresses for the endpoint's certificate.
            host_key_policy: at the first contact with a host whose SSH key is not known: ``first-use`` or ``strict``.
            labels: words of yours to choose machines by.
            join: use a host together with the store that owns it.
            save_credentials: keep the driver's secrets for this machine, in a file that only its owner can read.
            on_failure: ``keep`` what was made, so that the next `create` goes on, or ``rollback``.

        Raises:
            InvalidName, NameTaken, UsageError, UnknownDriver, PreCheckFailed: nothing was made.
            ConsentNeeded: an engine that is there would have to be changed, and `ask_consent` did not agree.
            PymachineError: a step failed; what was made is recorded: `create` goes on, and `rm` cleans up.
        """
        plan = self.prepare(
            name,
            driver=driver,
            options=options,
            engine=engine,
            tls_san=tls_san,
            host_key_policy=host_key_policy,
            labels=labels,
            join=join,
            save_credentials=save_credentials,
        )
        self._tell([plan])
        return self.make([plan], on_failure=on_failure)[0].result

    def create_many(
        self,
        name: str,
        count: int,
        *,
        driver: str | None = None,
        options: Mapping[str, Any] = _NOTHING,
        engine: Mapping[str, Any] = _NOTHING,
        tls_san: Sequence[str] = (),
        host_key_policy: str | None = None,
        labels: Mapping[str, str] = _NOTHING,
        join: bool = False,
        save_credentials: bool = False,
        on_failure: str = "keep",
    ) -> Outcomes[Machine]:
        """Create ``NAME-1`` to ``NAME-COUNT``, side by side; one that fails does not stop the others.

        Args:
            The others: as `create`, and the same for all.

        Raises:
            InvalidName, NameTaken, UsageError, UnknownDriver, PreCheckFailed: none was made.
        """
        if not (isinstance(count, int) and 1 <= count <= 1000):
            raise UsageError(f"{count!r} machines cannot be made", hint="1 to 1000")
        plans = [
            self.prepare(
                each,
                driver=driver,
                options=options,
                engine=engine,
                tls_san=tls_san,
                host_key_policy=host_key_policy,
                labels=labels,
                join=join,
                save_credentials=save_credentials,
            )
            for each in numbered(name, count)
        ]
        self._tell(plans)
        return self.make(plans, on_failure=on_failure)

    def prepare(
        self,
        name: str,
        *,
        driver: str | Driver | None = None,
        options: Mapping[str, Any] = _NOTHING,
        engine: Mapping[str, Any] = _NOTHING,
        tls_san: Sequence[str] = (),
        host_key_policy: str | None = None,
        labels: Mapping[str, str] = _NOTHING,
        join: bool = False,
        save_credentials: bool = False,
        flags_kept: bool | None = None,
    ) -> Plan:
        """What `create` would make, as `explain` and `make` take it. Nothing is made, and nobody is asked.

        Args:
            flags_kept: the options were flags of a command line, and the secrets among them are kept unasked or not;
                None: there is no command line.
            The others: as `create`.

        Raises:
            InvalidName, NameTaken, UsageError, UnknownDriver, PreCheckFailed.
        """
        from machine.operations.account import kept_credentials
        from machine.operations.createmany import Plan
        from machine.operations.wanted import again, wanted

        begun = self.unfinished(name)
        said = driver or options or engine or tls_san or host_key_policy or labels or join or save_credentials
        config = self._config()
        if begun is not None and not said:
            used = load_driver(begun.driver)
            this = again(begun, used, kept_credentials(self._store.files(name)))
        else:
            _check(engine, labels, host_key_policy)
            used = self.choose(driver).driver if driver is None or isinstance(driver, str) else driver
            this = wanted(
                name,
                used,
                options,
                config,
                tls_san=tls_san,
                host_key_policy=host_key_policy,
                engine=engine,
                join=join,
                labels=labels,
            )
        keep, notes = self._credentials(used, this, save_credentials, flags_kept)
        resumed = begun is not None and not said
        secrets = [] if resumed else self._engine_secrets(this.spec)  # they have been told then
        return Plan(this.spec, used, this.options, keep, notes=(*secrets, *notes), resumed=resumed)

    def explain(self, plan: Plan) -> Explanation:
        """What a driver would make, as whom, and what it lacks for that: asked without effect.

        Raises:
            PymachineError: nothing at all can be said, for example for want of credentials.
        """
        from machine.operations.explanation import explain
        from machine.trust.sshkeys import new_private_key, public_line

        key = public_line(new_private_key())
        identity = HostIdentity(store=self._store.id, authorized_key=key, notes=self._store.notes)
        return explain(plan.driver, plan.spec, plan.options, identity)

    def make(self, plans: Sequence[Plan], *, on_failure: str = "keep") -> Outcomes[Machine]:
        """Make what was prepared, side by side; one that fails does not stop the others.

        Args:
            on_failure: as `create`.

        Raises:
            InvalidName, NameTaken, PreCheckFailed: one of the names cannot be, or the first cannot be made: none was.
        """
        from machine.operations.createmany import create_many

        if on_failure not in ON_FAILURE:
            raise UsageError(f"on_failure={on_failure!r} is not one of {', '.join(ON_FAILURE)}")
        timeout = float(self._config().values.get("timeout", TIMEOUT))
        workers = self._workers
        came = create_many(self._store, plans, self._settings(timeout=timeout), workers=workers)
        outcomes: Outcomes[Machine] = Outcomes()
        for plan, each in came:
            if isinstance(each, PymachineError):
                if on_failure == "rollback" and not isinstance(each, PreCheckFailed):
                    self._roll_back(plan, each)
                outcomes.append(Outcome(plan.name, error=each))
            else:
                outcomes.append(Outcome(plan.name, value=each))
        return outcomes

    def unfinished(self, name: str) -> Spec | None:
        """What was wanted of a machine whose `create` was begun and not finished; None: there is none of this name.

        Raises:
            InvalidName: no machine can be called so.
            NameTaken: there is one, and it is finished.
        """
        from machine.operations.create import check_name, unfinished

        check_name(self._store, name)
        return unfinished(self._store, name)

    def half_made(self, name: str) -> bool:
        """Whether a `create` that was begun and not finished has left something under this name."""
        from machine.operations.rollback import made_something

        return made_something(self._store, name)

    def roll_back(self, plan: Plan, error: PymachineError | None = None) -> bool:
        """Remove what an unfinished `create` has made, and its record; whether there was any.

        Args:
            error: that of the create: it no longer says how to go on.

        Raises:
            PymachineError: something is left; the record is kept, and says what.
        """
        from machine.operations.rollback import roll_back, rolled_back

        if not self.half_made(plan.name):
            return False
        roll_back(self._store, plan, self._settings())
        if error is not None:
            rolled_back(error)
        return True

    def choose(self, driver: str | None = None) -> Chosen:
        """The driver that a name means; docker-machine's names are understood.

        Args:
            driver: None: as ``MACHINE_DRIVER`` or the configuration say, else the best local one that works here.

        Raises:
            UnknownDriver: none of this name is installed; close matches are named.
            PreCheckFailed: it cannot be imported; or no local one can work here.
        """
        return choose_driver(driver, self._config())

    def adopt_authority(self, certificate: str, key: str) -> None:
        """Make an authority of yours sign for the machines of this store, from two files.

        Raises:
            UsageError: no file, no authority that can sign, or the store has another one, which its machines believe.
        """
        from machine.operations.authority import adopt_authority

        adopt_authority(self._store, certificate, key)

    def _tell(self, plans: Sequence[Plan]) -> None:
        """What people should know of them, as events."""
        for plan in plans:
            for note in plan.notes:
                text = note.removeprefix("Warning: ")
                self._how.on_event(
                    Event(machine=plan.name, operation="create", step="reserve", status="warning", text=text)
                )

    def _config(self) -> Config:
        from machine.store.config import read_config

        return read_config(self.directory)

    def _roll_back(self, plan: Plan, error: PymachineError) -> None:
        """The same where there is an error already: what could not be removed is told beside it."""
        try:
            self.roll_back(plan, error)
        except Cancelled:
            raise
        except PymachineError as left:
            error.hint = f"{error.hint or ''}\nand what was made is not removed: {left}".strip()

    def _engine_secrets(self, spec: Spec) -> list[str]:
        from machine.operations.enginesecrets import ENGINE_SECRETS, flags_with_secrets

        place = os.path.join(self.directory, "machines", spec.name, ENGINE_SECRETS)
        flags = flags_with_secrets(spec.engine)
        return [f"Warning: the secret in {flag} is kept in {place} (0600), and on the host." for flag in flags]

    def _credentials(
        self, driver: Driver, this: Any, saved: bool, flags_kept: bool | None
    ) -> tuple[Mapping[str, str], tuple[str, ...]]:
        """What is kept of a driver's secrets, and what to tell people of it."""
        from machine.operations.credentials import credentials_to_keep

        if flags_kept is not None:
            keep = credentials_to_keep(driver, this, saved=saved, flags_kept=flags_kept)
            return keep.values, keep.notes
        secret = [item for item in declared_options(driver) if item.info.secret]
        given = [item for item in secret if this.sources.get(item.name) == item.flag]
        if given and not saved:
            raise PreCheckFailed(
                f"the option {given[0].name} would be forgotten, and nothing could stop or remove the machine later",
                cause="a secret is not kept unless that is asked for",
                hint=f"save_credentials=True, or {' and '.join(item.info.env[0] for item in given)} in the environment",
            )
        keep = credentials_to_keep(driver, dataclasses.replace(this, sources={}), saved=saved, flags_kept=False)
        return keep.values, keep.notes


def _check(engine: Mapping[str, Any], labels: Mapping[str, str], host_key_policy: str | None) -> None:
    """Refuse what a command line could not say."""
    from machine.operations.enginesettings import FIELDS
    from machine.operations.wanted import HOST_KEY_POLICIES

    for name in engine:
        if name not in FIELDS:
            close = difflib.get_close_matches(str(name), FIELDS, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"known: {', '.join(FIELDS)}"
            raise UsageError(f"an engine has no setting {name!r}", hint=hint)
    if not all(isinstance(part, str) for label in labels.items() for part in label):
        raise UsageError(f"{dict(labels)!r} are no labels", hint='texts: {"role": "web"}')
    if host_key_policy not in (None, *HOST_KEY_POLICIES):
        raise UsageError(f"host_key_policy={host_key_policy!r} is not one of {', '.join(HOST_KEY_POLICIES)}")


def numbered(name: str, count: int) -> list[str]:
    """The names of several machines: ``web-1``, ``web-2``, …"""
    return [f"{name}-{number}" for number in range(1, count + 1)]


def choose_driver(name: str | None, config: Config) -> Chosen:
    """The driver that a name means, else that which the environment or a configuration names; see `Making.choose`."""
    from machine.compat.names import meant_driver
    from machine.operations.choose import choose_local_driver
    from machine.operations.wanted import default_driver

    meant = meant_driver(name or default_driver(config), driver_names())
    if meant.driver is not None:
        return Chosen(load_driver(meant.driver), meant.note)
    choice = choose_local_driver()
    return Chosen(choice.driver, meant.note, choice.why)
