"""Remove: returns when it is gone; already gone, never there, and interrupted before are all success."""

from __future__ import annotations

from machine.model import Instance, State
from machine.testing.contract.bench import Bench
from machine.testing.recorder import ListRecorder, StoppingRecorder


class RemovalContract(Bench):
    """The end of an instance."""

    def test_a_removed_instance_is_gone_and_nothing_of_it_is_left(self) -> None:
        before = self.everything()
        made = self.create()
        self.remove(made)
        assert self.everything() == before
        seen = self.driver.observe([made])[0].state
        assert seen is (State.GONE if self.driver.capabilities.observes else State.UNKNOWN)

    def test_to_remove_twice_is_success(self) -> None:
        made = self.create()
        self.remove(made)
        self.remove(made)

    def test_to_remove_what_never_was_is_success_and_makes_nothing(self) -> None:
        before = self.everything()
        record = ListRecorder()
        made = self.create("token-never", record=record)
        self.remove(made)
        for _, each, data in record.resources:  # each of them, as if the create had died right after saying it
            self.signed_in().remove(each, data, ListRecorder())
        assert self.everything() == before

    def test_what_was_lost_can_be_removed(self) -> None:
        before = self.everything()
        made = self.create()
        if self.driver.capabilities.creates:
            self.lose(made)
        self.remove(made)
        assert self.everything() == before

    def test_a_stopped_instance_can_be_removed(self) -> None:
        before = self.everything()
        made = self.create()
        if self.driver.capabilities.stop:
            self.driver.stop(made, ListRecorder())
        self.remove(made)
        assert self.everything() == before

    def test_a_remove_stopped_anywhere_is_finished_by_the_next(self) -> None:
        before = self.everything()

        made: list[Instance] = []

        def remove(record: StoppingRecorder) -> None:
            made.append(self.create())
            self.signed_in().remove(made[-1].id, made[-1].data, record)

        for where, _ in self.stopped_at_each_call(remove):
            self.remove(made[-1])
            assert self.everything() == before, f"stopped {where}: something is left"
