"""The contract is worth something: each of these drivers breaks one promise, and the test of that promise fails."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

BROKEN = {
    "MakesAnotherOneForTheSameToken": (
        "test_the_same_token_gives_the_same_instance",
        """
        def create(self, request, token, record):
            return super().create(request, uuid.uuid4().hex, record)
        """,
    ),
    "RecordsWhatItHasMade": (
        "test_what_is_made_is_recorded_before_it_is_there",
        """
        def create(self, request, token, record):
            made = super().create(request, token, ListRecorder())
            record.resource("instance", made.id)
            return made
        """,
    ),
    "RecordsAnIdThatItCannotRemove": (
        "test_a_create_stopped_anywhere_can_be_removed",
        """
        def remove(self, id, data, record):
            if not id.startswith("token:"):
                super().remove(id, data, record)
        """,
    ),
    "GoesOnWhenItIsStopped": (
        "test_a_create_stopped_anywhere_goes_on",
        """
        def create(self, request, token, record):
            try:
                return super().create(request, token, record)
            except Cancelled:
                return super().create(request, token, ListRecorder())
        """,
    ),
    "MakesSomethingInItsCheck": (
        "test_the_check_has_no_effect",
        """
        def check(self, spec, options, identity):
            request = super().check(spec, options, identity)
            super().create(request, "early", ListRecorder())
            return request
        """,
    ),
    "ForgetsTheStoppedInstanceOfItsToken": (
        "test_a_create_repeated_after_a_stop_gives_the_instance_running",
        """
        def create(self, request, token, record):
            there = self._cloud().describe(token=token)
            return self._started(there[0], record) if there else super().create(request, token, record)
        """,
    ),
    "AnswersInItsOwnOrder": (
        "test_many_are_observed_in_one_call_and_answered_in_their_order",
        """
        def observe(self, instances):
            return super().observe(sorted(instances, key=lambda each: each.address))
        """,
    ),
    "FindsWhatIsOfAnotherStore": (
        "test_find_names_what_is_ours_with_its_machine_and_token_and_nothing_of_another_store",
        """
        def find(self, store):
            return super().find(None)
        """,
    ),
    "CannotRemoveTwice": (
        "test_to_remove_twice_is_success",
        """
        def remove(self, id, data, record):
            if not self._cloud().describe():
                raise DriverError("no such instance")
            super().remove(id, data, record)
        """,
    ),
    "StopsThoughItSaysThatItCannot": (
        "test_what_the_driver_cannot_do_it_refuses_in_words",
        """
        capabilities = Capabilities(inject_host_key=True)
        """,
    ),
    "KnowsHostKeysThoughItSaysThatItDoesNot": (
        "test_host_keys_are_known_before_the_first_contact_if_and_only_if_the_driver_says_so",
        """
        capabilities = Capabilities(stop=True, restart=True)
        """,
    ),
    "SaysNothingOfWhatIsLost": (
        "test_what_was_lost_is_gone_and_said_so[stop]",
        """
        def stop(self, instance, record):
            with contextlib.suppress(InstanceGone):
                super().stop(instance, record)
        """,
    ),
    "ComesBackAtTheOldAddress": (
        "test_to_start_twice_is_success_and_the_address_said_is_the_one_it_has",
        """
        def start(self, instance, record):
            super().start(instance, record)
            return instance
        """,
    ),
    "KeepsTheKey": (
        "test_no_secret_is_in_anything_that_is_kept_or_shown",
        """
        def check(self, spec, options, identity):
            return super().check(spec, options, identity) | {"key": options.api_key}
        """,
    ),
}
_HEAD = """
import contextlib, uuid
import pytest
from machine.driver import Capabilities
from machine.errors import Cancelled, DriverError, InstanceGone
from machine.testing.cloud import MemoryCloud
from machine.testing.contract import DriverContract
from machine.testing.memory import CLOUD_VARIABLE, MemoryDriver
from machine.testing.recorder import ListRecorder

class Broken(DriverContract):
    new_address_after_start = True

    @pytest.fixture
    def provider(self, tmp_path, monkeypatch):
        monkeypatch.setenv(CLOUD_VARIABLE, str(tmp_path))

    def new_driver(self):
        return self.kind()

    def given(self):
        return {"api_key": "canary-4711"}

    def wrong_values(self):
        return {"size": "0"}

    def lose(self, instance):
        self.new_driver()._cloud().lose(instance.id)

    def everything(self):
        return [each.id for each in self.new_driver()._cloud().instances()]
"""


def test_each_promise_that_a_driver_breaks_is_found_by_its_test(tmp_path: Path) -> None:
    code = _HEAD
    for name, (_, body) in BROKEN.items():
        code += f"\nclass {name}(MemoryDriver):{body}\nclass Test{name}(Broken):\n    kind = {name}\n"
    (tmp_path / "test_broken.py").write_text(code)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    chosen = [f"test_broken.py::Test{name}::{test}" for name, (test, _) in BROKEN.items()]
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-rfE", "--tb=no", "-p", "no:cacheprovider", *chosen],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    failed = set(re.findall(r"^(?:FAILED|ERROR) \S+?::Test(\S+?)::(\S+)", run.stdout, re.MULTILINE))
    assert {name for name, (test, _) in BROKEN.items() if (name, test) not in failed} == set(), run.stdout[-3000:]
