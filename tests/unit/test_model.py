"""Names, and values that stay what they are."""

from __future__ import annotations

import dataclasses

import pytest

from machine import errors
from machine.model import Access, Endpoint, Instance, State, valid_name


@pytest.mark.parametrize("name", ["a", "web", "Web-1.example", "0", "a" * 63, "a-", "a."])
def test_docker_machines_names_are_names(name: str) -> None:
    assert valid_name(name)


@pytest.mark.parametrize("name", ["", "-a", ".a", "a b", "a_b", "a/b", "..", "a\n", "ä", "a" * 64, "a;b", "$a"])
def test_what_is_no_name_is_none(name: str) -> None:
    assert not valid_name(name)


def test_the_port_of_an_endpoint_is_read_from_its_url() -> None:
    assert Endpoint(url="tcp://192.0.2.7:2376").port == 2376
    assert Endpoint(url="tcp://[2001:db8::7]:2377").port == 2377


def test_an_instances_address_is_where_the_alias_leads() -> None:
    assert Instance(driver="d", id="i", access=Access(host="alias", address="192.0.2.7")).address == "192.0.2.7"
    assert Instance(driver="d", id="i", access=Access(host="192.0.2.7")).address == "192.0.2.7"


def test_values_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Access(host="a").host = "b"  # type: ignore[misc]


def test_a_state_prints_as_its_word() -> None:
    assert f"{State.RUNNING} {State('Stopped')}" == "Running Stopped"


def test_the_layer_nearest_to_the_fault_says_where_it_was() -> None:
    error = errors.StoreError("full", step="reserve")
    assert error.located(machine="web", step="create") is error
    assert (error.machine, error.step) == ("web", "reserve")


def test_every_error_has_a_slug_of_its_own() -> None:
    def below(kind: type[errors.PymachineError]) -> list[type[errors.PymachineError]]:
        return [kind, *(each for sub in kind.__subclasses__() for each in below(sub))]

    slugs = [kind.slug for kind in below(errors.PymachineError)]
    assert len(set(slugs)) == len(slugs)
    assert {errors.PreCheckFailed.exit_code, errors.Cancelled.exit_code, errors.UsageError.exit_code} == {3, 130, 1}
