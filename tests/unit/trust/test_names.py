"""Names in certificates and URLs."""

from __future__ import annotations

import pytest

from machine.errors import UsageError
from machine.trust.names import check_san, endpoint_url, machine_uri, role_uri


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("web1.example.org", "web1.example.org"),
        ("web1.example.org.", "web1.example.org"),
        ("*.example.org", "*.example.org"),
        ("web_1", "web_1"),
        ("203.0.113.7", "203.0.113.7"),
        ("2001:DB8::0:7", "2001:db8::7"),
        ("[2001:db8::7]", "2001:db8::7"),
    ],
)
def test_names_and_addresses_are_taken(given: str, meant: str) -> None:
    assert check_san(given) == meant


@pytest.mark.parametrize(
    "given", ["", " ", "a b", "-a", "a-", "a..b", "*.*.b", "a.*", "*", "bücher.example", "x" * 64, "a,b", "a\n", "[]"]
)
def test_what_is_neither_name_nor_address_is_refused(given: str) -> None:
    with pytest.raises(UsageError, match="--tls-san"):
        check_san(given)


def test_an_ipv6_address_is_bracketed_in_a_url() -> None:
    assert endpoint_url("2001:db8::7", 2376) == "tcp://[2001:db8::7]:2376"
    assert endpoint_url("192.0.2.7", 2376) == "tcp://192.0.2.7:2376"


def test_uris_name_the_store_too() -> None:
    assert machine_uri("s", "web") == "pymachine:s/machine/web"
    assert role_uri("s", "admin") == "pymachine:s/role/admin"
