"""The plan where hosts were asked: what was changed there is put back, and what nobody knows is left alone."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from machine.errors import HostUnreachable
from machine.fleet.changes import Action, Plan, Verb
from machine.fleet.hostseen import HostSeen
from machine.fleet.model import Fleet
from machine.model import Machine, State
from tests.unit.fleet.fleets import COMMAND, FILE, fleet, made, only, plan, seen, wanted, with_spec

WATCHING = dataclasses.replace(COMMAND, run="app reload", when="changed")
SHOP = fleet(wanted(files=(FILE,), commands=(COMMAND, WATCHING)))
RELOAD = "command app reload"  # it watches the files
AS_LEFT = f"{FILE.digest} 644:0:0:root:root"
CHANGED = f"{'b' * 64} 644:0:0:root:root"
CLOSED = HostUnreachable("web-1 does not answer", layer="port", cause="refused")


def asked(of: Fleet, machine: Machine, host: HostSeen | None = None, **options: Any) -> Plan:
    return plan(of, machine, hosts={} if host is None else {machine.id: host}, **options)


@pytest.mark.parametrize(
    ("host", "reasons", "put_back"),
    [
        ({"files": {FILE.target: AS_LEFT}}, (), ()),
        ({"files": {FILE.target: "unread"}}, (), ()),
        ({"files": {FILE.target: CHANGED}}, ("/etc/motd was changed on the host", RELOAD), ("/etc/motd",)),
        ({"files": {FILE.target: "missing"}}, ("/etc/motd was removed on the host", RELOAD), ("/etc/motd",)),
        ({"engine": ("mtu was changed",)}, ("mtu was changed",), ()),
        ({"error": CLOSED}, (), ()),
        ({}, (), ()),
    ],
)  # fmt: skip
def test_what_was_changed_on_a_host_is_updated_in_place(
    host: dict[str, Any], reasons: tuple[str, ...], put_back: tuple[str, ...]
) -> None:
    change = only(asked(SHOP, made(SHOP), HostSeen(**host)))
    assert (change.reasons, change.put_back) == (reasons, put_back)
    done = (Action.UPDATE, (Verb.PROVISION,)) if reasons else (Action.NONE, ())
    assert (change.action, change.verbs) == done


@pytest.mark.parametrize("host", [None, HostSeen(), HostSeen(error=CLOSED)])
def test_a_host_that_said_nothing_is_neither_changed_nor_gone(host: HostSeen | None) -> None:
    found = asked(SHOP, made(SHOP), host)
    assert found.pending == ()
    assert found.unknown == ({"web-1": "web-1 does not answer (refused)"} if host and host.error else {})


def test_a_change_that_goes_to_the_host_anyway_hears_from_it_that_it_cannot_be_reached() -> None:
    other = fleet(wanted(files=(dataclasses.replace(FILE, mode=0o600),)))
    assert asked(other, made(SHOP), HostSeen(error=CLOSED)).unknown == {}
    labelled = fleet(wanted(files=(FILE,), commands=(COMMAND, WATCHING), labels={"a": "b"}))
    assert list(asked(labelled, made(SHOP), HostSeen(error=CLOSED)).unknown) == ["web-1"]


def test_a_file_that_is_wanted_otherwise_is_put_there_whatever_the_host_has() -> None:
    other = fleet(wanted(files=(dataclasses.replace(FILE, digest="c" * 64),), commands=(COMMAND, WATCHING)))
    change = only(asked(other, made(SHOP), HostSeen(files={FILE.target: CHANGED})))
    assert (change.reasons, change.put_back) == (("file /etc/motd", "command app reload"), ())


def test_a_file_that_the_fleet_has_no_more_is_the_hosts_own() -> None:
    change = only(asked(fleet(wanted()), made(SHOP), HostSeen(files={FILE.target: CHANGED})))
    assert change.put_back == ()
    assert change.reasons == ("file /etc/motd: not of the fleet any more, and stays on the host",)


@pytest.mark.parametrize("state", [State.GONE, State.PREEMPTED])
def test_what_is_made_again_is_not_put_back_first(state: State) -> None:
    machine = made(SHOP)
    change = only(asked(SHOP, machine, HostSeen(files={FILE.target: CHANGED}), looked=seen(machine, state)))
    assert (change.action, change.put_back) == (Action.REPAIR, ())


def test_labels_and_a_changed_file_are_one_visit() -> None:
    labelled = fleet(wanted(files=(FILE,), labels={"a": "b"}))
    machine = with_spec(made(labelled), labels={})
    change = only(asked(labelled, machine, HostSeen(files={FILE.target: CHANGED})))
    assert change.verbs == (Verb.PROVISION,)
    assert change.reasons == ("label a: (nothing) → b", "/etc/motd was changed on the host")


def test_a_plan_says_whether_hosts_were_asked() -> None:
    assert asked(SHOP, made(SHOP)).document()["hosts"] is True
    assert plan(SHOP, made(SHOP)).document()["hosts"] is False
    assert asked(SHOP, made(SHOP), HostSeen(error=CLOSED)).document()["unknown"] == {
        "web-1": "web-1 does not answer (refused)"
    }
