"""Find: exactly what carries this store's marks; ``gc`` compares it with the store."""

from __future__ import annotations

from machine.driver import Found
from machine.testing.contract.bench import OTHER_STORE, STORE, Bench
from machine.testing.recorder import ListRecorder


class MarksContract(Bench):
    """What is out there, and whose it is."""

    def test_find_names_what_is_ours_with_its_machine_and_token_and_nothing_of_another_store(self) -> None:
        first = self.create("token-1", "m1")
        second = self.create("token-2", "m2")
        other = self.create("token-3", "m1", store=OTHER_STORE)
        if not self.driver.capabilities.creates:
            assert self.driver.find(STORE) == [], "what was given carries no marks"
            return
        found = self.signed_in().find(STORE)
        assert all(isinstance(each, Found) and each.driver == self.driver.name for each in found)
        instances = sorted((each.id, each.machine, each.token) for each in found if each.kind == "instance")
        assert instances == sorted([(first.id, "m1", "token-1"), (second.id, "m2", "token-2")])
        theirs = self.driver.find(OTHER_STORE)
        assert [(each.machine, each.token) for each in theirs if each.id == other.id] == [("m1", "token-3")]
        assert not {each.id for each in found} & {each.id for each in theirs}
        assert self.driver.find("no-such-store") == []

    def test_what_is_stopped_is_still_found(self) -> None:
        made = self.create()
        if self.driver.capabilities.stop:
            self.driver.stop(made, ListRecorder())
        assert self.instances() == ([made.id] if self.driver.capabilities.creates else [])

    def test_what_is_found_can_be_removed_by_its_id_alone(self) -> None:
        before = self.everything()
        self.create("token-1", "m1")
        other = self.create("token-2", "m2", store=OTHER_STORE)
        for each in self.driver.find(STORE):
            self.signed_in().remove(each.id, {}, ListRecorder())
        assert self.driver.find(STORE) == []
        self.remove(other)
        assert self.everything() == before
