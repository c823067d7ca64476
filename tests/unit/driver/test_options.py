"""Options of drivers, declared once: flags, environment, defaults, checks."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, ClassVar

import pytest

from machine.driver import declared_options, option, resolve_options, stored_options
from machine.errors import UsageError


def _even(text: str) -> int:
    if int(text) % 2:
        raise ValueError(f"{text} is odd")
    return int(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """One of each kind."""

    region: str = option(help="Where.", required=True, env=("CLOUD_REGION", "REGION"), metavar="REGION")
    size: str = option(help="How big.", default="small", choices=("small", "large"))
    disk: int | None = option(help="GB.", env=("CLOUD_DISK",))
    even: int = option(help="Even.", default=2, parse=_even)
    public: bool = option(help="Open.", default=False, env=("CLOUD_PUBLIC",))
    tags: tuple[str, ...] = option(help="Tags.", default=(), env=("CLOUD_TAGS",))
    token: str | None = option(help="Secret.", secret=True, env=("CLOUD_TOKEN",))


class CloudDriver:
    name: ClassVar[str] = "cloud"
    Options: ClassVar[type] = Options


CLOUD: Any = CloudDriver


def resolved(environ: dict[str, str] | None = None, **given: Any) -> Any:
    return resolve_options(CLOUD, {"region": "north", **given}, environ or {})


def test_flags_and_kinds_derive_from_the_fields() -> None:
    declared = {item.flag: item.kind for item in declared_options(CLOUD)}
    assert declared == {
        "--cloud-region": str,
        "--cloud-size": str,
        "--cloud-disk": int,
        "--cloud-even": int,
        "--cloud-public": bool,
        "--cloud-tags": tuple,
        "--cloud-token": str,
    }


def test_defaults_count_where_nothing_is_given() -> None:
    assert resolved() == Options(region="north")
    assert (resolved().size, resolved().disk, resolved().public, resolved().tags) == ("small", None, False, ())


def test_what_is_given_wins_over_the_environment_and_that_over_the_default() -> None:
    environ = {"CLOUD_DISK": "7"}
    assert resolved(environ, disk="9").disk == 9
    assert resolved(environ).disk == 7
    assert resolved({"CLOUD_DISK": ""}).disk is None


def test_the_first_variable_that_is_set_counts() -> None:
    both = {"CLOUD_REGION": "first", "REGION": "second"}
    assert resolve_options(CLOUD, {}, both).region == "first"
    assert resolve_options(CLOUD, {}, {"REGION": "second"}).region == "second"


@pytest.mark.parametrize(("text", "value"), [("1", True), ("TRUE", True), ("off", False), ("no", False)])
def test_a_truth_value_has_the_usual_spellings(text: str, value: bool) -> None:
    assert resolved({"CLOUD_PUBLIC": text}).public is value


def test_a_list_is_repeated_or_separated_by_commas() -> None:
    assert resolved(tags=("a", "b")).tags == ("a", "b")
    assert resolved({"CLOUD_TAGS": "a,b"}).tags == ("a", "b")
    assert resolved({"CLOUD_TAGS": "a,b"}, tags=()).tags == ("a", "b")


def test_values_may_be_given_in_their_own_type() -> None:
    options = resolved(disk=9, public=True, tags=["a"])
    assert (options.disk, options.public, options.tags) == (9, True, ("a",))


@pytest.mark.parametrize(
    ("given", "environ", "message"),
    [
        ({"disk": "big"}, {}, "--cloud-disk: 'big' is not a whole number"),
        ({"disk": 1.5}, {}, "--cloud-disk: 1.5 is not a whole number"),
        ({"disk": True}, {}, "--cloud-disk: True is not a whole number"),
        ({"size": 5}, {}, "--cloud-size: 5 is not a text"),
        ({}, {"CLOUD_DISK": "big"}, "CLOUD_DISK: 'big' is not a whole number"),
        ({"even": "3"}, {}, "--cloud-even: 3 is odd"),
        ({"public": "maybe"}, {}, "--cloud-public: 'maybe' is neither true nor false"),
        ({"size": "larg"}, {}, "--cloud-size: 'larg' is not one of small, large; did you mean large?"),
        ({"size": "xxx"}, {}, "--cloud-size: 'xxx' is not one of small, large"),
    ],
)
def test_a_wrong_value_names_its_flag_or_variable(given: dict[str, Any], environ: dict[str, str], message: str) -> None:
    with pytest.raises(UsageError) as raised:
        resolved(environ, **given)
    assert str(raised.value) == message


def test_an_unknown_option_gets_the_nearest_one() -> None:
    with pytest.raises(UsageError, match="has no option 'regin'") as raised:
        resolve_options(CLOUD, {"regin": "north"}, {})
    assert raised.value.hint == "did you mean --cloud-region?"
    with pytest.raises(UsageError) as raised:
        resolved(zzzzz="1")
    assert raised.value.hint is None


def test_a_missing_option_says_how_to_give_it() -> None:
    with pytest.raises(UsageError, match="the driver cloud needs --cloud-region") as raised:
        resolve_options(CLOUD, {}, {})
    assert raised.value.hint == "give --cloud-region REGION or set CLOUD_REGION"


def test_a_secret_is_never_in_what_is_stored_and_the_rest_is_json() -> None:
    kept = stored_options(CLOUD, resolved({"CLOUD_TOKEN": "s3cret"}, tags=("a", "b")))
    assert json.loads(json.dumps(kept)) == kept
    assert kept == {"region": "north", "size": "small", "even": 2, "public": False, "tags": ["a", "b"]}
