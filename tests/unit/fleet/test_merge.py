"""How what is above is laid over what is below."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from machine.fleet.merge import merged, settled
from machine.fleet.model import Position
from machine.fleet.tree import List, Map

SCALARS = st.one_of(st.integers(0, 9), st.sampled_from(["a", "b"]))


def documents() -> st.SearchStrategy[dict[str, Any]]:
    """Sections as people write them: a key has one kind, and a list is replaced or added to, not both at once."""
    lists = st.lists(SCALARS, max_size=3)
    adding = st.one_of(st.just({}), lists.map(lambda each: {"list": each}), lists.map(lambda each: {"list+": each}))
    plain = st.dictionaries(st.sampled_from(["one", "two"]), st.one_of(st.none(), SCALARS), max_size=2)
    level = st.builds(lambda left, right: {**left, **right}, adding, plain)
    return st.builds(lambda outer, inner: {**outer, **inner}, level, st.dictionaries(st.just("section"), level))


def tree(value: Any, file: str = "f") -> Any:
    """A document with places in this file."""
    at = Position(file, 1, 1)
    if isinstance(value, dict):
        part = Map(at)
        for key, each in value.items():
            part.put(key, tree(each, file), key_at=at, value_at=at)
        return part
    if isinstance(value, list):
        items = List(at)
        for each in value:
            items.put(tree(each, file), at=at)
        return items
    return value


@settings(deadline=None)  # the computer may be busy
@given(documents())
def test_nothing_above_or_below_changes_nothing(one: dict[str, Any]) -> None:
    assert merged(tree(one), tree({})) == one == merged(tree({}), tree(one))


@settings(deadline=None)
@given(documents(), documents(), documents())
def test_it_does_not_matter_which_two_of_three_are_merged_first(
    one: dict[str, Any], two: dict[str, Any], three: dict[str, Any]
) -> None:
    first, second, third = tree(one), tree(two), tree(three)
    left = settled(merged(merged(first, second), third))
    right = settled(merged(first, merged(second, third)))
    assert left == right
    assert settled(left.section("section")) == settled(right.section("section"))


@settings(deadline=None)
@given(documents(), documents())
def test_neither_side_is_changed(one: dict[str, Any], two: dict[str, Any]) -> None:
    lower, upper = tree(one), tree(two)
    merged(lower, upper)
    assert (lower, upper) == (one, two)


@settings(deadline=None)
@given(documents(), documents())
def test_everything_has_the_place_of_who_said_it_last(one: dict[str, Any], two: dict[str, Any]) -> None:
    both = merged(tree(one, "lower"), tree(two, "upper"))
    for key in both:
        # Added to the list below, it is that list's; but it was said above.
        above = key in two or f"{key}+" in two
        assert both.keys_at[key].file == both.values_at[key].file == ("upper" if above else "lower")
    for section in (part for part in both.values() if isinstance(part, List)):
        assert len(section) == len(section.items_at) == len(section.texts)


@settings(deadline=None)
@given(documents(), documents())
def test_above_a_settled_section_nothing_is_left_to_be_done(one: dict[str, Any], two: dict[str, Any]) -> None:
    section = settled(merged(tree(one), tree(two)))
    assert not [key for key, value in section.items() if value is None or key.endswith("+")]


@pytest.mark.parametrize(
    ("lower", "upper", "both"),
    [
        ({"a": 1}, {"a": 2}, {"a": 2}),
        ({"a": {"b": 1, "c": 2}}, {"a": {"c": 3}}, {"a": {"b": 1, "c": 3}}),
        ({"a": [1]}, {"a": [2]}, {"a": [2]}),
        ({"a": [1]}, {"a+": [2]}, {"a": [1, 2]}),
        ({"a": [1]}, {"a+": 2}, {"a": [1, 2]}),
        ({"a": 1}, {"a+": [2]}, {"a": [1, 2]}),
        ({"a+": [1]}, {"a+": [2]}, {"a+": [1, 2]}),
        ({"a+": [1]}, {"a": [2]}, {"a": [2]}),
        ({"a": {"b": 1}}, {"a": None}, {"a": None}),
        ({"a": None}, {"a": {"b": 1}}, {"a": {"b": 1}}),
        ({"a": None}, {"a+": [1]}, {"a": [1]}),
        ({"a": {"b": 1}}, {"a": 2}, {"a": 2}),
    ],
)
def test_maps_are_merged_lists_replaced_or_added_to_and_the_rest_replaced(
    lower: dict[str, Any], upper: dict[str, Any], both: dict[str, Any]
) -> None:
    assert merged(tree(lower), tree(upper)) == both
