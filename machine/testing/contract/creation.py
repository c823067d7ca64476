"""Check and create: no effect before it is recorded, one instance per token, and safe to be stopped anywhere."""

from __future__ import annotations

import dataclasses
import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from machine.errors import Cancelled
from machine.model import Instance
from machine.testing.contract.bench import STORE, Bench
from machine.testing.recorder import ListRecorder, StoppingRecorder


class CreationContract(Bench):
    """From a spec to an instance."""

    def test_the_check_has_no_effect(self) -> None:
        before = self.everything()
        self.request()
        assert self.everything() == before

    def test_the_request_is_json_and_comes_back_the_same(self) -> None:
        request = self.driver.check(self.spec(), self.options(), self.identity())
        assert json.loads(json.dumps(request)) == request
        assert self.new_driver().check(self.spec(), self.options(), self.identity()) == request, "and so every time"

    def test_an_instance_says_whose_it_is_and_is_json(self) -> None:
        made = self.create()
        assert made.driver == self.driver.name
        assert made.id
        assert made.access.host
        document = dataclasses.asdict(made)
        document["access"]["host_keys"] = list(made.access.host_keys)
        assert json.loads(json.dumps(document)) == document

    def test_the_same_token_gives_the_same_instance(self) -> None:
        first = self.create()
        assert self.create() == first
        assert len(self.instances()) == (1 if self.driver.capabilities.creates else 0)

    def test_the_same_token_at_the_same_time_gives_the_same_instance(self) -> None:
        with ThreadPoolExecutor(2) as pool:
            both = [each.result() for each in [pool.submit(self.create) for _ in range(2)]]
        assert both[0].id == both[1].id
        assert len(self.instances()) == (1 if self.driver.capabilities.creates else 0)

    def test_two_tokens_give_two_instances_where_instances_are_made(self) -> None:
        first, second = self.create("token-1", "m1"), self.create("token-2", "m2")
        if self.driver.capabilities.creates:
            assert first.id != second.id
            assert first.address != second.address
        else:
            assert first.id == second.id, "what was given is what it was, whoever asks"
            assert self.driver.find(STORE) == []

    def test_what_is_made_is_recorded_before_it_is_there(self) -> None:
        before = self.everything()
        record = StoppingRecorder()
        made = self.create(record=record)
        assert "resource" in record.calls, "an instance is recorded"
        assert record.last is not None
        assert record.last[0] == made.id, "the last id recorded is the instance's"
        self.remove(made)
        at = record.calls.index("resource") + 1
        with pytest.raises(Cancelled):
            self.create(record=StoppingRecorder(at=at))
        assert self.everything() == before, "before the first id is recorded, nothing may be made"

    def test_what_was_recorded_last_is_enough_to_remove_everything(self) -> None:
        before = self.everything()
        record = ListRecorder()
        self.create(record=record)
        self.remove_recorded(record)
        assert self.everything() == before

    def test_a_create_stopped_anywhere_can_be_removed(self) -> None:
        before = self.everything()
        for where, record in self.stopped_at_each_call(lambda record: self.create(record=record)):
            self.remove_recorded(record)
            assert self.everything() == before, f"stopped {where}: something is left"

    def test_a_create_stopped_anywhere_goes_on(self) -> None:
        before = self.everything()
        for where, _ in self.stopped_at_each_call(lambda record: self.create(record=record)):
            made = self.create()
            assert self.instances() == ([made.id] if self.driver.capabilities.creates else []), where
            self.remove(made)
            assert self.everything() == before, f"stopped {where}, went on, removed: something is left"

    def test_host_keys_are_known_before_the_first_contact_if_and_only_if_the_driver_says_so(self) -> None:
        made = self.create()
        if self.driver.capabilities.inject_host_key:
            assert made.access.host_keys
            assert all(key.startswith(("ssh-", "ecdsa-")) and len(key.split()) == 2 for key in made.access.host_keys)
            assert self._at_another_time(made).access.host_keys == made.access.host_keys
        else:
            assert made.access.host_keys == ()

    def _at_another_time(self, made: Instance) -> Instance:
        again = self.create()
        assert again.id == made.id
        return again
