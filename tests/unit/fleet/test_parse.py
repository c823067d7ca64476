"""YAML, read by two libraries of which one is fast: what they read is the same, and it is where people wrote it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from machine.errors import FleetFileError
from machine.fleet.document import load_fleet
from machine.fleet.examples import FILE, examples, write_example
from machine.fleet.parse import parse
from machine.fleet.problems import Problems
from machine.fleet.tree import List, Map
from machine.fleet.yamlevents import NotForLibyaml, by_libyaml, by_ruamel

PAGE = (Path(__file__).parents[3] / "docs" / "fleet.md").read_text()
# Parts of which texts are made that are YAML often enough. No tabs, and no colon right after an
# alias: libyaml lets more of them pass.
PARTS = [
    "a", "b: 1", "a: b", "- x", "- ", "? ", ": ", ":", "\n", "\n  ", "\n    ", "\n- ", "\n  - ", "{", "}", "[", "]",
    ", ", "'", '"', "'q'", '"d\\n"', "\n  |-\n   t", ">-\n  ab\n  cd\n", " # c", "&a ", "*a ", "<<: *a ", "~", "null",
    "yes", "true", "0o17", "0755", "1_0", "1.5e3", ".5", "-", "1:30", "2024-01-01", "---\n", "k:", "http://x", "a:b",
    "a #b", "é", "😀", "\r\n", "\\", '"\\x41\\/"', "=", "? a\n: b", "''", "[a, b: c]", "{a: b, c}", '{"a":1}', "key:\n",
    "!!int 5",
]  # fmt: skip


def as_read(part: Any) -> Any:
    """All that a tree says, positions and all."""
    if isinstance(part, Map):
        keys = [(key, as_read(part[key]), part.keys_at[key], part.values_at[key]) for key in part]
        return "map", part.at, keys, part.texts
    if isinstance(part, List):
        return "list", part.at, [as_read(each) for each in part], part.items_at, part.texts
    return type(part), repr(part)


def both(text: str, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What either library makes of a text, and what they find wrong with it."""
    found = []
    for library in (by_libyaml, by_ruamel):
        monkeypatch.setattr("machine.fleet.parse.by_libyaml", library)
        problems = Problems()
        tree = parse(text.encode(), "fleet.yaml", problems)
        try:
            problems.raise_errors()
            found.append((as_read(tree), ()))
        except FleetFileError as error:
            found.append((as_read(tree), error.problems))
    return found


def test_libyaml_is_there_where_these_tests_run() -> None:
    assert by_libyaml("a: b", lambda following: type(following()).__name__) == "StreamStartEvent"


def test_a_fleet_is_the_same_whichever_library_reads_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [PAGE.partition("```yaml\n")[2].partition("```")[0]]
    for each in examples():
        write_example(each.name, str(tmp_path / each.name / FILE))
        texts.append((tmp_path / each.name / FILE).read_text())
    for text in texts:
        fast, slow = both(text, monkeypatch)
        assert fast == slow
        assert not fast[1]


@settings(deadline=None, max_examples=300)
@given(st.lists(st.sampled_from(PARTS), min_size=1, max_size=10).map("".join))
@example("a: 1\n...\n")
@example("\ufeffa: 1")
@example("a: &x {b: c}\nd: {<<: *x, e: f}\ng: *x\n*x : y\n")
@example("a: |\n  text\nb: >-\n  more\n  of it\n")
def test_what_libyaml_reads_is_what_ruamel_reads(text: str) -> None:
    with pytest.MonkeyPatch.context() as monkeypatch:
        fast, slow = both(text, monkeypatch)
    assert fast == slow


@pytest.mark.parametrize(
    "text",
    ["null", "~", "NULL", "nULL", "true", "FALSE", "tRUE", "yes", "on", "y", "0", "-0", "007", "0o17", "017", "0x1F",
     "0b11", "1_000", "+5", "+", "_1", "-_", "1e3", "1E+3", "1.", "1.5", ".5", "-.5e+3", ".5e3", ".", "..", "1.2.3",
     "1:30", "2024-01-01", ".inf", "-.INF", ".nan", "<<", "=", "0o8", "0xg", "12e", "9" * 5000, "1e999", "''", '"1"',
     "!!str 1", "!!int '5'", "!!bool yes", "!!null x", "!!float 1", "! 1", "1 2", "é"],
)  # fmt: skip
def test_a_scalar_is_to_us_what_it_is_in_yaml_1_2_or_what_was_written(text: str) -> None:
    node = YAML(typ="safe", pure=True).compose(f"a: {text}").value[0][1]
    tag = str(node.tag).rpartition(":")[2] if text != "! 1" else "str"  # a text by YAML's rules; ruamel makes it 1
    value = parse(f"a: {text}".encode(), "f", Problems())["a"]
    kinds: dict[str, Any] = {"null": None, "bool": bool, "int": int, "float": float}
    if kinds.get(tag, str) in (int, float) and isinstance(value, str):
        assert value == node.value  # no number of Python's
        assert not value.isdigit() or len(value) > 4300
    else:
        assert type(value) is (kinds.get(tag, str) or type(None))


def test_without_libyaml_fleets_are_read_all_the_same(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "yaml._yaml", None)  # a PyYAML that was built without it
    with pytest.raises(NotForLibyaml):
        by_libyaml("a: b", lambda following: following())
    (tmp_path / "fleet.yaml").write_text("fleet: x\ngroups: {web: {driver: nspawn}}")
    assert [each.name for each in load_fleet(str(tmp_path / "fleet.yaml"), {}).machines()] == ["web-1"]


def test_the_pairs_by_which_json_writes_a_character_are_that_character() -> None:
    assert parse(rb'{"a": "\ud83d\ude00"}', "f", Problems()) == {"a": "😀"}


def test_json_is_a_fleet_with_places_too(tmp_path: Path) -> None:
    file = tmp_path / "fleet.json"
    file.write_text('{"fleet": "x", "groups": {"web": {"driver": "nspawn",\n  "count": "3"}}}')
    with pytest.raises(FleetFileError, match=r"fleet\.json:2:12: count is a whole number, and this is '3'"):
        load_fleet(str(file), {})
