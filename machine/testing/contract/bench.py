"""What the author of a driver says about it, and what the tests of the contract have in common."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, ClassVar

import pytest

from machine.driver import (
    AccountDriver,
    Driver,
    HostIdentity,
    declared_options,
    resolve_options,
    stored_options,
)
from machine.errors import Cancelled
from machine.model import Instance, Spec
from machine.testing.recorder import ListRecorder, StoppingRecorder
from machine.trust.sshkeys import new_private_key, public_line

STORE = "contract-store"
OTHER_STORE = "another-store"


class Bench:
    """The hooks (above) and the tools (below) of the contract."""

    # A stopped instance comes back at another address than it had: the suite then asserts that it is a new one.
    new_address_after_start: ClassVar[bool] = False

    driver: Driver  # for the test; a new one for each
    public_key: str  # the machine's own

    @pytest.fixture
    def provider(self) -> Any:
        """Set up what the driver talks to, and take it down: override it, and use any fixture in it."""

    def new_driver(self) -> Driver:
        """A driver as a new process has it. Credentials are in the environment, or in the options of `given`."""
        raise NotImplementedError

    def given(self) -> Mapping[str, Any]:
        """The options of a small instance as given on a command line, each secret one with a value nobody else uses."""
        raise NotImplementedError

    def wrong_values(self) -> Mapping[str, str | None]:
        """Option -> a value that it must refuse (None: it takes any text), for each with a ``parse`` of its own."""
        return {}

    def other_access(self) -> Mapping[str, Any]:
        """Another value for each option of ``capabilities.access``, as on a command line; `given` has the first."""
        return {}

    def lose(self, instance: Instance) -> None:
        """Remove what the instance is, behind the driver's back. Needed for a driver that creates."""
        raise NotImplementedError

    def everything(self) -> list[str]:
        """All that exists at the provider, one line each; override it where more than instances is made."""
        return [f"{each.kind} {each.id}" for store in (STORE, OTHER_STORE) for each in self.driver.find(store)]

    def points(self, count: int) -> Iterable[int]:
        """Which of ``count`` calls of the recorder to stop at; all of them, unless an instance costs too much."""
        return range(1, count + 1)

    @pytest.fixture(autouse=True)
    def _clean(self, provider: None) -> Iterator[None]:
        self.driver = self.new_driver()
        self.public_key = public_line(new_private_key())
        self._removals = 0
        self._journals: dict[str, ListRecorder] = {}
        self._account: Mapping[str, Any] | None = None
        before = self.everything()
        self.driver = self.signed_in()
        assert self.everything() == before, "a check must have no effect"
        yield
        for store in (STORE, OTHER_STORE):
            for found in self.driver.find(store):
                self.driver.remove(found.id, {}, ListRecorder())
        left = [line for line in self.everything() if line not in before]
        assert not left, "the test's own clean-up, by find and remove, must leave nothing"

    def instances(self, store: str = STORE) -> list[str]:
        """The ids of the instances of a store that are out there."""
        return [each.id for each in self.driver.find(store) if each.kind == "instance"]

    def options(self) -> Any:
        """The driver's options, from what is given alone."""
        return resolve_options(self.driver, self.given(), {})

    def spec(self, name: str = "m1") -> Spec:
        """What is wanted, as a store would keep it."""
        return Spec(name=name, driver=self.driver.name, options=stored_options(self.driver, self.options()))

    def identity(self, store: str = STORE) -> HostIdentity:
        """Whose the host will be."""
        return HostIdentity(store=store, authorized_key=self.public_key)

    def request(self, name: str = "m1", store: str = STORE, driver: Driver | None = None) -> dict[str, Any]:
        """The resolved request as it comes back from the journal."""
        request = (driver or self.driver).check(self.spec(name), self.options(), self.identity(store))
        back: dict[str, Any] = json.loads(json.dumps(request))
        return back

    def signed_in(self) -> Driver:
        """A driver as a new process has it, for a machine that exists."""
        driver = self.new_driver()
        if isinstance(driver, AccountDriver):
            if self._account is None:
                self._account = self.request(driver=self.new_driver())["account"]
            options = self.options()
            secret = [item.name for item in declared_options(driver) if item.info.secret]
            driver.sign_in(self._account, {name: getattr(options, name) for name in secret if getattr(options, name)})
        return driver

    def create(
        self, token: str = "token-1", name: str = "m1", *, store: str = STORE, record: ListRecorder | None = None
    ) -> Instance:
        """Check and create, by a driver of its own: as in a new process.

        What was kept and recorded under this token before is there again; after a remove, a token is another one.
        """
        driver, record = self.new_driver(), record or ListRecorder()
        token += f"-{self._removals}" if self._removals else ""
        earlier = self._journals.setdefault(token, record)
        record.kept, record.before = earlier.kept, earlier.recall()
        self._journals[token] = record
        return driver.create(self.request(name, store, driver), token, record)

    def remove(self, instance: Instance) -> None:
        """Remove an instance as `rm` does: by a new driver, with what is recorded."""
        self._removals += 1
        self.signed_in().remove(instance.id, instance.data, ListRecorder())

    def remove_recorded(self, record: ListRecorder) -> None:
        """What `rm` does after a create that died: it knows the last id that was recorded, if there is one."""
        self._removals += 1
        if record.last is not None:
            self.signed_in().remove(*record.last, ListRecorder())

    def stopped_at_each_call(self, act: Callable[[StoppingRecorder], object]) -> Iterator[tuple[str, StoppingRecorder]]:
        """Do something once whole, to count its calls of the recorder; then again and again, stopped at another one.

        A run with other waits than the first may end before it is stopped; what is claimed must hold then too.

        Yields:
            Where it was stopped, for people, and what its recorder remembers. Before the first stop: the whole run.
        """
        whole = StoppingRecorder()
        act(whole)
        yield "not at all", whole
        for at in self.points(len(whole.calls)):
            for after in (False, True) if whole.calls[at - 1] == "resource" else (False,):
                record = StoppingRecorder(at=at, after=after)
                try:
                    act(record)
                except Cancelled:
                    pass
                else:
                    assert len(record.calls) < at, f"Cancelled at call {at} ({whole.calls[at - 1]}) must not be caught"
                yield f"at call {at} ({whole.calls[at - 1]}{', just after it' if after else ''})", record
