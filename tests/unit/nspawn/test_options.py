from __future__ import annotations

import json

import pytest

from machine.driver import declared_options, resolve_options, stored_options
from machine.drivers.nspawn import NspawnDriver
from machine.drivers.nspawn.options import parse_cpus, parse_memory, parse_mirror, parse_subnet, parse_suite
from machine.errors import UsageError


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("2g", 2 << 30),
        ("512m", 512 << 20),
        ("512MiB", 512 << 20),
        ("1.5G", 3 << 29),
        ("134217728", 128 << 20),
        ("1TB", 1 << 40),
    ],
)
def test_memory_is_read_as_people_write_it(text: str, amount: int) -> None:
    assert parse_memory(text) == amount


@pytest.mark.parametrize("text", ["", "g", "two", "-1g", "1m", "1x", "1g1g"])
def test_memory_that_makes_no_machine_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"memory|too little"):
        parse_memory(text)


@pytest.mark.parametrize("text", ["0", "-1", "nan", "inf", "many", ""])
def test_processors_that_make_no_machine_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="processors"):
        parse_cpus(text)


@pytest.mark.parametrize("text", ["10.0.0.0/8", "10.0.0.1/24", "8.8.8.0/24", "10.0.0.0/30", "fd00::/64", "mine"])
def test_a_network_that_cannot_hold_machines_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"network|large|small"):
        parse_subnet(text)


def test_what_becomes_part_of_a_command_line_cannot_be_an_option_of_it() -> None:
    for parse, text in (
        (parse_suite, "--mode=unshare"),
        (parse_suite, "a b"),
        (parse_mirror, "-x"),
        (parse_mirror, "http://a b"),
    ):
        with pytest.raises(ValueError, match="is not"):
            parse(text)


def test_options_come_from_flags_before_the_environment_and_are_stored_as_json() -> None:
    driver = NspawnDriver()
    environ = {"NSPAWN_MEMORY": "1g", "NSPAWN_CPUS": "3"}
    options = resolve_options(driver, {"cpus": "1.5"}, environ)
    assert (options.cpus, options.memory) == (1.5, 1 << 30)
    assert json.loads(json.dumps(stored_options(driver, options))) == {"cpus": 1.5, "memory": 1 << 30}


def test_a_wrong_value_names_where_it_came_from() -> None:
    with pytest.raises(UsageError, match="NSPAWN_MEMORY"):
        resolve_options(NspawnDriver(), {}, {"NSPAWN_MEMORY": "much"})


def test_every_option_has_help_and_an_environment_variable() -> None:
    for item in declared_options(NspawnDriver):
        assert item.info.help
        assert item.info.env == (f"NSPAWN_{item.name.upper()}",)
