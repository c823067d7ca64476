"""Secrets: whatever is stored, shown or logged does not have them."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from machine.driver import declared_options, stored_options
from machine.testing.contract.bench import STORE, Bench
from machine.testing.recorder import ListRecorder


class SecretsContract(Bench):
    """A secret option's value stays in the process it was given to."""

    def test_no_secret_is_in_anything_that_is_kept_or_shown(self) -> None:
        given = self.given()
        secret = [item.name for item in declared_options(self.driver) if item.info.secret]
        for name in secret:
            assert given.get(name), f"give {name} a value that nobody else uses, so that it can be looked for"
        record = ListRecorder()
        made = self.create(record=record)
        seen = self.driver.observe([made])
        kept: dict[str, Any] = {
            "the request": self.driver.check(self.spec(), self.options(), self.identity()),
            "the stored options": stored_options(self.driver, self.options()),
            "the printed options": repr(self.options()),
            "the instance": dataclasses.asdict(made),
            "what was recorded": record.resources,
            "what was said": record.lines,
            "what was observed": [dataclasses.asdict(each) for each in seen],
            "what is found": [dataclasses.asdict(each) for each in self.driver.find(STORE)],
        }
        for name in secret:
            for where, value in kept.items():
                text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
                assert str(given[name]) not in text, f"{name} is in {where}"
