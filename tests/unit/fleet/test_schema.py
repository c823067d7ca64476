"""The JSON Schema of fleet files: one that schemas' own schema accepts, and that says of examples what we say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML

from machine.driver import declared_options, driver_names, load_driver
from machine.fleet.examples import FILE, examples, write_example
from machine.fleet.schema import DIALECT, fleet_schema


@pytest.fixture(scope="module")
def validator() -> Draft202012Validator:
    return Draft202012Validator(fleet_schema())


def wrong(validator: Draft202012Validator, text: str) -> list[str]:
    return [error.message for error in validator.iter_errors(YAML(typ="safe", pure=True).load(text))]


def test_the_schema_is_one() -> None:
    schema = fleet_schema()
    assert schema["$schema"] == DIALECT
    Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize("name", driver_names())
def test_every_option_of_every_driver_is_in_it_with_its_help(name: str) -> None:
    options = fleet_schema()["$defs"][f"options-{name}"]["properties"]
    for item in declared_options(load_driver(name)):
        described = options[item.name.replace("_", "-")]
        assert described["description"].startswith(item.info.help)
        if item.info.choices:
            assert described["then"]["enum"] == [*item.info.choices, None]


@pytest.mark.parametrize("name", [each.name for each in examples()])
def test_an_editor_finds_nothing_wrong_with_an_example(
    validator: Draft202012Validator, tmp_path: Path, name: str
) -> None:
    write_example(name, str(tmp_path / FILE))
    assert wrong(validator, (tmp_path / FILE).read_text()) == []


@pytest.mark.parametrize(
    "text",
    [
        "fleet: x\nx-anything: [1, {a: b}]\ngroups: {web: {driver: nspawn, count: '${n}', options: {memory: '${m}'}}}",
        "fleet: x\ndefaults: {driver: aws, options: {volume-type: '${type}'}}\ngroups: {web: {options: {spot: true}}}",
        "fleet: x\ngroups: {web: {driver: '${driver}', options: {anything: 1}}}",
        "fleet: x\ngroups: {web: , db: {driver: nspawn, commands+: [ls], machines: {'1': , a: {files: []}}}}",
        "defaults: {driver: generic, limits: {per-second: 0.5}, engine: {source: '${s}', opt+: debug}}",
    ],
)  # fmt: skip
def test_an_editor_takes_variables_empty_values_and_files_that_are_included(
    validator: Draft202012Validator, text: str
) -> None:
    assert wrong(validator, text) == []


@pytest.mark.parametrize(
    "text",
    [
        "fleet: x\ngroups: {web: {driver: nspawn, options: {memroy: 1g}}}",
        "fleet: x\ndefaults: {driver: nspawn}\ngroups: {web: {options: {memroy: 1g}}}",
        "fleet: x\ndefaults: {driver: nspawn}\ngroups: {web: {machines: {a: {options: {memroy: 1g}}}}}",
        "fleet: x\ndefaults: {driver: nspawn, options: {memroy: 1g}}\ngroups: {web: {driver: aws}}",
        "fleet: x\ndefaults: {driver: nspawn}\ngroups: {web: {driver: generic, options: {memory: 1g}}}",
        "fleet: x\ngroups: {web: {driver: aws, options: {volume-type: gp9}}}",
        "fleet: x\ngroups: {web: {driver: nspwan}}",
        "fleet: x\ngroups: {web: {driver: nspawn, count: many}}",
    ],
)
def test_an_editor_finds_a_drivers_options_wherever_they_are_said(validator: Draft202012Validator, text: str) -> None:
    assert len(wrong(validator, text)) >= 1


def test_a_driver_that_cannot_be_loaded_does_not_take_the_schema_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    from importlib.metadata import EntryPoint

    def points() -> list[Any]:
        return [
            EntryPoint("broken", "no_such_module:Driver", "pymachine.drivers"),
            EntryPoint("generic", "machine.drivers.generic:GenericDriver", "pymachine.drivers"),
        ]

    monkeypatch.setattr("machine.driver._entry_points", points)
    definitions = fleet_schema()["$defs"]
    assert "options-generic" in definitions
    assert "options-broken" not in definitions
