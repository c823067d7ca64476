"""The quick look at a document: it says yes to nothing that jsonschema finds wrong, and to all that is fine."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from machine.driver import driver_names, load_driver
from machine.fleet.examples import FILE, examples, write_example
from machine.fleet.fits import NotSure, fits
from machine.fleet.include import read
from machine.fleet.parse import parse
from machine.fleet.problems import Problems
from machine.fleet.schema import document_schema, fleet_schema

SCHEMA = fleet_schema()
VALIDATOR = Draft202012Validator(SCHEMA)
KEYS = ["fleet", "groups", "defaults", "variables", "web", "driver", "options", "memory", "machines", "web-1", "count",
        "labels", "files", "files+", "source", "target", "mode", "commands", "run", "when", "limits", "per-second",
        "engine", "opt", "x-a", "volume-type", "secret", "env", "host-key-policy", "a b", "include"]  # fmt: skip
VALUES = ["x", "aws", "nspawn", "3", "-1", "1.5", "2.0", "true", "", "'${v}'", "/a", "0644", "once", "gp3", "strict"]
TREES = st.recursive(
    st.sampled_from(VALUES),
    lambda part: st.one_of(
        st.lists(part, max_size=3).map(lambda each: f"[{', '.join(each)}]"),
        st.dictionaries(st.sampled_from(KEYS), part, max_size=4).map(
            lambda each: "{" + ", ".join(f"{key}: {value}" for key, value in each.items()) + "}"
        ),
    ),
)


def test_the_schema_of_fleet_files_says_nothing_that_is_not_known() -> None:
    for drivers in ([], [load_driver(each) for each in driver_names()]):
        assert not fits(parse(b"flet: x", "f", Problems()), document_schema(drivers))


@pytest.mark.parametrize("name", [each.name for each in examples()])
def test_an_example_fits(tmp_path: Path, name: str) -> None:
    write_example(name, str(tmp_path / FILE))
    assert fits(read(str(tmp_path / FILE), Problems()), SCHEMA)


@settings(deadline=None, max_examples=300)
@given(st.lists(st.tuples(st.sampled_from(KEYS), TREES), max_size=5, unique_by=lambda each: each[0]))
def test_what_fits_is_what_jsonschema_finds_nothing_wrong_with(tree: list[tuple[str, str]]) -> None:
    document = parse("\n".join(f"{key}: {value}" for key, value in tree).encode(), "f", Problems())
    whole_numbers_with_a_point = any("2.0" in value for _, value in tree)
    assert fits(document, SCHEMA) == VALIDATOR.is_valid(document) or whole_numbers_with_a_point
    assert VALIDATOR.is_valid(document) or not fits(document, SCHEMA)


@pytest.mark.parametrize("schema", [{"oneOf": [True]}, {"enum": [1]}, {"$ref": "#/x"}, {"if": True, "else": False}])
def test_of_what_it_does_not_know_it_is_not_sure(schema: dict[str, object]) -> None:
    with pytest.raises(NotSure):
        fits(parse(b"a: b", "f", Problems()), schema)
