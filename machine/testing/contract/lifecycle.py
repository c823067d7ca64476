"""Observe, start, stop, restart, kill: converge to a state, or refuse in words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from machine.driver import Driver, declared_options, resolve_options
from machine.errors import DriverError, InstanceGone
from machine.model import Instance, State
from machine.testing.contract.bench import Bench
from machine.testing.recorder import ListRecorder

_VERBS: dict[str, Callable[[Driver, Instance], object]] = {
    "start": lambda driver, instance: driver.start(instance, ListRecorder()),
    "stop": lambda driver, instance: driver.stop(instance, ListRecorder()),
    "kill": lambda driver, instance: driver.kill(instance, ListRecorder()),
    "restart": lambda driver, instance: driver.restart(instance, ListRecorder()),
}


class LifecycleContract(Bench):
    """The life of an instance between its create and its remove."""

    def test_a_new_instance_runs_or_its_state_is_unknown(self) -> None:
        made = self.create()
        assert self.state(made) is (State.RUNNING if self.driver.capabilities.observes else State.UNKNOWN)

    def test_nothing_to_observe_is_no_answer(self) -> None:
        assert self.driver.observe([]) == []

    def test_many_are_observed_in_one_call_and_answered_in_their_order(self) -> None:
        first, second = self.create("token-1", "m1"), self.create("token-2", "m2")
        if not self.driver.capabilities.creates:
            assert [each.state for each in self.driver.observe([first, second])] == [
                self.driver.observe([each])[0].state for each in (first, second)
            ]
            return
        self.lose(first)
        seen = self.driver.observe([second, first, second])
        assert [each.state for each in seen] == [self.state(second), State.GONE, self.state(second)]
        assert [each.address for each in seen] == [second.address, None, second.address]

    def test_what_the_driver_cannot_do_it_refuses_in_words(self) -> None:
        made, can = self.create(), self.driver.capabilities
        refused = {"start": not can.stop, "stop": not can.stop, "kill": not can.stop, "restart": not can.restart}
        for verb, cannot in refused.items():
            if cannot:
                with pytest.raises(DriverError) as error:
                    _VERBS[verb](self.driver, made)
                assert not isinstance(error.value, InstanceGone), f"{verb} is refused, the instance is not gone"
                assert error.value.hint, f"who refuses {verb} says where it can be done"
        assert not (can.restart and can.restarts_itself), "either the driver restarts a host or the host does it itself"

    @pytest.mark.parametrize("verb", ["stop", "kill"])
    def test_to_stop_twice_is_success(self, verb: str) -> None:
        if not self.driver.capabilities.stop:
            self.refuses(verb)
            return
        made = self.create()
        for _ in range(2):
            _VERBS[verb](self.signed_in(), made)
            assert self.state(made) is State.STOPPED

    def test_to_start_twice_is_success_and_the_address_said_is_the_one_it_has(self) -> None:
        if not self.driver.capabilities.stop:
            self.refuses("start")
            return
        made = self.create()
        assert self.signed_in().start(made, ListRecorder()) == made, "it runs: nothing is changed"
        self.driver.stop(made, ListRecorder())
        started = self.signed_in().start(made, ListRecorder())
        assert started.id == made.id
        assert started.access.host_keys == made.access.host_keys
        seen = self.driver.observe([started])[0]
        assert (seen.state, seen.address) == (State.RUNNING, started.address)
        if self.new_address_after_start:
            assert started.address != made.address
        assert self.driver.start(started, ListRecorder()) == started

    def test_a_restart_ends_in_running_wherever_it_began(self) -> None:
        if not self.driver.capabilities.restart:
            self.refuses("restart")
            return
        made = self.signed_in().restart(self.create(), ListRecorder())
        assert self.state(made) is State.RUNNING
        self.driver.stop(made, ListRecorder())
        again = self.signed_in().restart(made, ListRecorder())
        assert (again.id, self.state(again)) == (made.id, State.RUNNING)

    def test_a_create_repeated_after_a_stop_gives_the_instance_running(self) -> None:
        if not self.driver.capabilities.stop:
            self.refuses("stop")
            return
        made = self.create()
        self.driver.stop(made, ListRecorder())
        again = self.create()
        assert (again.id, self.state(again)) == (made.id, State.RUNNING)
        assert self.driver.observe([again])[0].address == again.address

    @pytest.mark.parametrize("verb", sorted(_VERBS))
    def test_what_was_lost_is_gone_and_said_so(self, verb: str) -> None:
        if not (self.driver.capabilities.restart if verb == "restart" else self.driver.capabilities.stop):
            self.refuses(verb)
            return
        made = self.create()
        self.lose(made)
        assert self.state(made) is State.GONE
        with pytest.raises(InstanceGone):
            _VERBS[verb](self.signed_in(), made)
        self.remove(made)

    def test_another_way_to_an_instance_is_said_of_the_same_instance_and_changes_nothing(self) -> None:
        able = self.driver.capabilities.access
        assert bool(able) == hasattr(self.driver, "access"), "a driver with `access` has the method, and no other"
        if not able:
            return
        assert not set(able) & set(self.driver.capabilities.resize), "an option is one or the other"
        known = {item.name: item for item in declared_options(self.driver)}
        assert [name for name in able if name not in known or known[name].info.secret] == []
        assert set(self.other_access()) == set(able), "let other_access() say another value for each"
        driver: Any = self.driver
        made = self.create()
        before = self.driver.observe([made])
        assert driver.access(made, self.options(), ()) == made
        options = resolve_options(self.driver, {**self.given(), **self.other_access()}, {})
        for changed in ((name,) for name in able):
            found = driver.access(made, options, changed)
            assert found.id == made.id, "another instance is made by create"
            assert found != made, changed
            assert driver.access(found, options, changed) == found
        assert self.driver.observe([made]) == before

    def state(self, instance: Instance) -> State:
        """What the driver says of it now."""
        return self.driver.observe([instance])[0].state

    def refuses(self, verb: str) -> None:
        """Assert that the driver refuses what it says it cannot do, and that nothing happens."""
        made = self.create()
        before = self.driver.observe([made])
        with pytest.raises(DriverError):
            _VERBS[verb](self.signed_in(), made)
        assert self.driver.observe([made]) == before
