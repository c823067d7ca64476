"""What a driver says of itself and of its options."""

from __future__ import annotations

import dataclasses
import json
import re

import pytest

from machine.driver import Capabilities, DeclaredOption, declared_options, resolve_options, stored_options
from machine.errors import UsageError
from machine.testing.contract.bench import Bench


class OptionsContract(Bench):
    """The driver's description, its options, and their validation."""

    def test_the_driver_describes_itself_in_one_line(self) -> None:
        assert re.fullmatch(r"[a-z][a-z0-9-]*", self.driver.name), "a name is a word for a command line"
        assert self.driver.summary.strip(), "a summary is for people"
        assert "\n" not in self.driver.summary
        assert isinstance(self.driver.capabilities, Capabilities)

    def test_a_local_driver_says_whether_it_works_here_and_what_it_changes(self) -> None:
        for member in ("usable_here", "host_changes"):
            local = self.driver.capabilities.local_rank is not None
            assert not local or hasattr(self.driver, member), f"a driver with a local_rank has {member}"

    def test_every_option_is_declared_and_described(self) -> None:
        assert dataclasses.is_dataclass(self.driver.Options)
        assert self.driver.Options.__dataclass_params__.frozen  # type: ignore[attr-defined]
        for item in declared_options(self.driver):
            assert item.info.help.strip(), f"{item.flag} needs a help text"
            assert item.info.env, f"{item.flag} needs an environment variable"
            assert all(re.fullmatch(r"[A-Z][A-Z0-9_]*", name) for name in item.info.env), item.flag

    def test_no_two_options_share_an_environment_variable(self) -> None:
        names = [name for item in declared_options(self.driver) for name in item.info.env]
        assert len(names) == len(set(names)), names

    def test_an_unknown_option_is_refused_and_the_nearest_one_named(self) -> None:
        known = next(declared_options(self.driver))
        with pytest.raises(UsageError) as refused:
            resolve_options(self.driver, {**self.given(), f"{known.name}x": "1"}, {})
        assert known.flag in (refused.value.hint or "")

    def test_each_required_option_is_asked_for_by_its_flag(self) -> None:
        required = [item for item in declared_options(self.driver) if item.info.required]
        for item in required:
            given = {key: value for key, value in self.given().items() if key != item.name}
            with pytest.raises(UsageError) as refused:
                resolve_options(self.driver, given, {})
            assert item.flag in str(refused.value), "the message names the flag"
        if not required:
            resolve_options(self.driver, {}, {})  # then nothing must be said

    def test_a_wrong_value_is_refused_and_its_flag_or_variable_named(self) -> None:
        for item in declared_options(self.driver):
            wrong = self._wrong_value(item)
            if wrong is None:
                continue
            with pytest.raises(UsageError) as refused:
                resolve_options(self.driver, {**self.given(), item.name: wrong}, {})
            assert item.flag in str(refused.value), f"{item.flag}={wrong!r}: the message names the flag"
            given = {key: value for key, value in self.given().items() if key != item.name}
            with pytest.raises(UsageError) as refused:
                resolve_options(self.driver, given, {item.info.env[0]: wrong})
            assert item.info.env[0] in str(refused.value), "the message names the variable it came from"

    def test_a_near_miss_of_a_choice_names_what_was_meant(self) -> None:
        for item in declared_options(self.driver):
            if item.info.choices:
                with pytest.raises(UsageError, match=re.escape(item.info.choices[0])):
                    resolve_options(self.driver, {**self.given(), item.name: item.info.choices[0] + "x"}, {})

    def test_an_option_can_be_given_by_its_environment_variable(self) -> None:
        environ = {
            item.info.env[0]: self.given()[item.name]
            for item in declared_options(self.driver)
            if isinstance(self.given().get(item.name), str)
        }
        given = {key: value for key, value in self.given().items() if not isinstance(value, str)}
        assert resolve_options(self.driver, given, environ) == self.options()

    def test_options_come_back_from_the_store_as_they_were(self) -> None:
        secret = {item.name for item in declared_options(self.driver) if item.info.secret}
        stored = json.loads(json.dumps(stored_options(self.driver, self.options())))
        again = {key: value for key, value in self.given().items() if key in secret}
        assert resolve_options(self.driver, {**stored, **again}, {}) == self.options()

    def _wrong_value(self, item: DeclaredOption) -> str | None:
        """A value this option must refuse; None: it takes any text."""
        told = self.wrong_values()
        if item.name in told:
            return told[item.name]
        assert item.info.parse is None, f"let wrong_values() say what {item.flag} must refuse"
        if item.info.choices:
            return "no such choice"
        return "neither" if item.kind in (int, float, bool) else None
