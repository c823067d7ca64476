"""What ``docs/api.md`` shows works as it is written there; what needs real machines is in ``tests/e2e/test_api.py``."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import machine
from tests.conformance.hosts import Hosts
from tests.conformance.old_stores import OldStore, version_3
from tests.unit.api.examples import DOCS, NEEDS, Example, examples, name_of

ALONE = [each for each in examples() if not each.needs]


def test_every_example_is_run_by_one_test_or_the_other() -> None:
    assert {each.needs for each in examples()} == set(NEEDS)
    assert len(ALONE) > 15


@pytest.mark.parametrize("example", ALONE, ids=name_of)
def test_an_example_works(
    example: Example, hosts: Hosts, tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYMACHINE_HOME", str(tmp_path / "store"))
    monkeypatch.chdir(tmp_path)
    if example.opens:
        example.run()
        return
    OldStore(home / ".docker" / "machine").machine("old", version_3())
    with machine.Client(timeout=60) as client:
        client.create("dev")
        client.create_many("web", 3, labels={"role": "web"}).raise_first()
        example.run(client=client, machine=machine)


def test_the_script_that_is_shown_is_the_one_that_is_there_and_has_fifteen_lines() -> None:
    (shown,) = [each.code for each in examples() if each.needs == "script"]
    assert shown == (DOCS / "five_machines.py").read_text()
    lines = [line for line in ast.unparse(ast.parse(shown)).splitlines() if line.strip()]
    assert len(lines) <= 15
