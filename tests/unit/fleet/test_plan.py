"""The plan: each difference between a fleet's file and what there is has one answer, with its reason."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from machine.errors import NameTaken, UsageError
from machine.fleet.changes import Action, Verb
from machine.fleet.model import Position
from machine.model import State
from tests.unit.fleet.fleets import COMMAND, FILE, fleet, made, only, plan, seen, specs, wanted, with_spec


def test_a_machine_that_is_not_there_is_created() -> None:
    change = only(plan(fleet(wanted())))
    assert (change.action, change.verbs, change.destroys) == (Action.CREATE, (Verb.CREATE,), False)


def test_a_machine_that_is_as_wanted_is_left_alone() -> None:
    shop = fleet(wanted(files=(FILE,), commands=(COMMAND,), labels={"tier": "front"}, options={"size": 2}))
    done = plan(shop, made(shop))
    assert only(done).action is Action.NONE
    assert done.pending == ()


@pytest.mark.parametrize(
    ("change", "action", "verbs", "reason"),
    [
        ({"labels": {"tier": "front"}}, "update", "relabel", "label tier: (nothing) → front"),
        ({"host_key_policy": "strict"}, "update", "relabel", "host-key-policy: first-use → strict"),
        ({"tls_san": ("web.example.org",)}, "update", "provision", "tls-san: (nothing) → web.example.org"),
        ({"engine": {"options": ("mtu=1400",)}}, "update", "provision", "engine options: (nothing) → mtu=1400"),
        ({"files": (FILE,)}, "update", "provision", "file /etc/motd"),
        ({"commands": (COMMAND,)}, "update", "provision", "command systemctl restart app"),
        (
            {"options": {"size": 4}},
            "update",
            "stop resize start",
            "size: 1 → 4 (it is stopped for that, and started)",
        ),
        (
            {"options": {"size": 4}, "labels": {"tier": "front"}},
            "update",
            "stop resize start relabel",
            "label tier: (nothing) → front",
        ),
        ({"options": {"region": "south"}}, "replace", "remove create", "region: north → south"),
        ({"options": {"region": "south", "size": 4}}, "replace", "remove create", "region: north → south"),
        ({"driver": "generic", "options": {"ip_address": "192.0.2.7"}}, "replace", "remove create",
         "driver: memory → generic"),
    ],
)  # fmt: skip
def test_what_is_wanted_otherwise_is_changed_by_the_least_that_does_it(
    change: dict[str, Any], action: str, verbs: str, reason: str
) -> None:
    before = fleet(wanted())
    found = only(plan(fleet(wanted(**change)), made(before)))
    assert (str(found.action), " ".join(map(str, found.verbs))) == (action, verbs)
    assert reason in found.reasons


def test_a_resize_knows_the_new_value() -> None:
    found = only(plan(fleet(wanted(options={"size": 4})), made(fleet(wanted()))))
    assert found.resize == {"size": 4}


def test_another_address_of_a_given_host_is_another_host() -> None:
    before = fleet(wanted(driver="generic", options={"ip_address": "192.0.2.7"}))
    after = fleet(wanted(driver="generic", options={"ip_address": "192.0.2.8"}))
    found = only(plan(after, made(before)))
    assert found.action is Action.REPLACE
    assert found.reasons == ("ip_address: 192.0.2.7 → 192.0.2.8",)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"ssh_port": 2222}, "ssh_port: (nothing) → 2222"),
        ({"ssh_user": "ada"}, "ssh_user: (nothing) → ada"),
        ({"ssh_key": "/keys/id"}, "ssh_key: (nothing) → /keys/id"),
        ({"host_key": f"SHA256:{'A' * 43}"}, f"host_key: (nothing) → SHA256:{'A' * 43}"),
        ({"engine_port": 2377}, "engine_port: 2376 → 2377"),
    ],
)
def test_another_way_to_the_same_host_is_taken_in_place(options: dict[str, Any], reason: str) -> None:
    before = fleet(wanted(driver="generic", options={"ip_address": "192.0.2.7"}))
    after = fleet(wanted(driver="generic", options={"ip_address": "192.0.2.7", **options}, labels={"a": "b"}))
    found = only(plan(after, made(before)))
    assert (found.action, found.verbs, found.access) == (Action.UPDATE, (Verb.ACCESS,), tuple(options))
    assert (found.destroys, found.disturbs) == (False, True)
    assert found.reasons == (reason, "label a: (nothing) → b")
    moved = fleet(wanted(driver="generic", options={"ip_address": "192.0.2.8", **options}))
    assert only(plan(moved, made(before))).action is Action.REPLACE


def test_a_create_of_a_given_host_that_was_begun_over_another_way_starts_over() -> None:
    before = fleet(wanted(driver="generic", options={"ip_address": "192.0.2.7"}))
    after = fleet(wanted(driver="generic", options={"ip_address": "192.0.2.7", "ssh_user": "ada"}))
    assert only(plan(after, made(before), unfinished={1: "create"})).action is Action.REPLACE


def test_other_certificates_of_a_given_endpoint_are_taken_in_place_and_another_url_is_another_endpoint() -> None:
    url = {"url": "tcp://192.0.2.7:2376"}
    certificates = {"ca_cert": "/ca.pem", "client_cert": "/cert.pem", "client_key": "/key.pem"}
    before = fleet(wanted(driver="none", options=url))
    found = only(plan(fleet(wanted(driver="none", options={**url, **certificates})), made(before)))
    assert (found.action, found.verbs, found.access) == (Action.UPDATE, (Verb.ACCESS,), tuple(certificates))
    other = fleet(wanted(driver="none", options={"url": "tcp://192.0.2.8:2376"}))
    assert only(plan(other, made(before))).action is Action.REPLACE


def test_a_record_of_a_given_endpoint_that_was_being_written_is_written() -> None:
    shop = fleet(wanted(driver="none", options={"url": "tcp://192.0.2.7:2375"}))
    found = only(plan(shop, made(shop), unfinished={1: "provision"}))
    assert (found.action, found.verbs) == (Action.REPAIR, (Verb.RELABEL,))


def test_a_default_that_is_another_in_this_version_replaces_nothing() -> None:
    shop = fleet(wanted())
    machine = made(shop)
    old = with_spec(machine, options={**machine.spec.options, "disk": 4, "gone": "x"})
    assert only(plan(shop, old)).action is Action.NONE


def test_an_option_that_the_file_says_no_more_is_back_at_its_default() -> None:
    before = fleet(wanted(options={"region": "south"}))
    found = only(plan(fleet(wanted()), made(before)))
    assert found.reasons == ("region: south → north",)


def test_a_reason_names_the_variable_that_said_it() -> None:
    from machine.fleet.plan import make_plan

    shop = fleet(wanted())
    found = only(make_plan(shop, [made(shop)], {}, specs=specs(shop, MEMORY_REGION="south")))
    assert found.reasons == ("region: north → south (as MEMORY_REGION says)",)


def test_a_password_in_engine_settings_is_neither_a_change_nor_shown() -> None:
    shop = fleet(wanted(engine={"environment": ("HTTP_PROXY=http://me:canary-4711@proxy",)}))
    machine = made(shop)
    hidden = dataclasses.replace(machine.spec.engine, environment=("HTTP_PROXY=http://[hidden]@proxy",))
    assert only(plan(shop, with_spec(machine, engine=hidden))).action is Action.NONE
    shown = json.dumps(plan(shop, made(fleet(wanted()))).document())
    assert "[hidden]" in shown
    assert "canary-4711" not in shown


@pytest.mark.parametrize("mode", [{"mode": 0o600}, {"owner": "app:app"}, {"digest": "b" * 64}])
def test_a_file_with_another_content_mode_or_owner_is_put_there_again(mode: dict[str, Any]) -> None:
    before = fleet(wanted(files=(FILE,)))
    after = fleet(wanted(files=(dataclasses.replace(FILE, **mode),)))
    assert only(plan(after, made(before))).reasons == ("file /etc/motd",)


def test_a_command_runs_once_and_one_that_watches_runs_when_a_file_changes() -> None:
    watching = dataclasses.replace(COMMAND, run="app reload", when="changed")
    before = fleet(wanted(files=(FILE,), commands=(COMMAND, watching)))
    after = fleet(wanted(files=(dataclasses.replace(FILE, digest="b" * 64),), commands=(COMMAND, watching)))
    assert only(plan(after, made(before))).reasons == ("file /etc/motd", "command app reload")


def test_a_file_that_the_fleet_has_no_more_stays_on_the_host_and_that_is_said_once() -> None:
    found = only(plan(fleet(wanted()), made(fleet(wanted(files=(FILE,))))))
    assert found.reasons == ("file /etc/motd: not of the fleet any more, and stays on the host",)


def test_what_was_done_on_another_instance_counts_for_nothing() -> None:
    shop = fleet(wanted(files=(FILE,), commands=(COMMAND,)))
    machine = made(shop)
    other = dataclasses.replace(machine, applied={**machine.applied, "instance": "i-0"})
    assert only(plan(shop, other)).reasons == ("file /etc/motd", "command systemctl restart app")


def test_a_machine_that_the_file_has_no_more_is_removed_last() -> None:
    before = fleet(wanted("web-1"), wanted("web-2"))
    both = [made(before, "web-1"), made(before, "web-2", number=2)]
    found = plan(fleet(wanted("web-1"), wanted("web-3")), *both)
    assert [(each.machine, str(each.action)) for each in found.changes] == [
        ("web-1", "none"),
        ("web-3", "create"),
        ("web-2", "remove"),
    ]


def test_a_create_that_was_begun_is_finished() -> None:
    shop = fleet(wanted())
    found = only(plan(shop, made(shop, state=State.CREATING), unfinished={1: "create"}))
    assert (found.action, found.verbs) == (Action.FINISH, (Verb.CREATE,))


def test_a_create_that_was_begun_with_other_labels_is_finished_and_then_relabelled() -> None:
    after = fleet(wanted(labels={"tier": "front"}))
    found = only(plan(after, made(fleet(wanted())), unfinished={1: "create"}))
    assert found.verbs == (Verb.CREATE, Verb.RELABEL)


@pytest.mark.parametrize("options", [{"size": 4}, {"region": "south"}])
def test_a_create_that_was_begun_with_other_options_starts_over(options: dict[str, Any]) -> None:
    found = only(plan(fleet(wanted(options=options)), made(fleet(wanted())), unfinished={1: "create"}))
    assert (found.action, found.verbs) == (Action.REPLACE, (Verb.REMOVE, Verb.CREATE))


def test_a_remove_that_was_begun_is_finished_and_the_machine_made_again() -> None:
    shop = fleet(wanted())
    assert only(plan(shop, made(shop), unfinished={1: "remove"})).verbs == (Verb.REMOVE, Verb.CREATE)


@pytest.mark.parametrize(
    ("kind", "verb"),
    [
        ("provision", Verb.PROVISION),
        ("regenerate-certs", Verb.PROVISION),
        ("start", Verb.START),
        ("restart", Verb.START),
        ("stop", Verb.START),
        ("resize", Verb.START),
    ],
)
def test_what_was_begun_on_a_machine_is_gone_on_with(kind: str, verb: Verb) -> None:
    shop = fleet(wanted())
    found = only(plan(shop, made(shop), unfinished={1: kind}))
    assert (found.action, found.verbs) == (Action.REPAIR, (verb,))
    assert found.reasons == (f"its {kind} was begun and not finished",)


def test_a_restart_that_was_begun_on_a_given_host_is_gone_on_with_by_bringing_it_up() -> None:
    shop = fleet(wanted(driver="generic", options={"ip_address": "192.0.2.7"}))
    assert only(plan(shop, made(shop), unfinished={1: "restart"})).verbs == (Verb.PROVISION,)


@pytest.mark.parametrize(
    ("state", "verbs", "why"),
    [
        (State.GONE, (Verb.REMOVE, Verb.CREATE), "it is gone"),
        (State.PREEMPTED, (Verb.REMOVE, Verb.CREATE), "it is preempted: capacity"),
        (State.STOPPED, (Verb.START,), "it is stopped"),
    ],
)
def test_a_machine_that_is_gone_is_made_again_and_one_that_is_stopped_is_started(
    state: State, verbs: tuple[Verb, ...], why: str
) -> None:
    shop = fleet(wanted())
    machine = made(shop)
    trouble = "capacity" if state is State.PREEMPTED else ""
    found = only(plan(shop, machine, looked=seen(machine, state, trouble=trouble)))
    assert (found.action, found.verbs, found.reasons) == (Action.REPAIR, verbs, (why,))


def test_a_machine_that_runs_and_does_not_answer_is_brought_up_once_more() -> None:
    shop = fleet(wanted())
    machine = made(shop)
    found = only(plan(shop, machine, looked=seen(machine, State.RUNNING, trouble="unreachable: refuses connections")))
    assert (found.action, found.verbs) == (Action.REPAIR, (Verb.PROVISION,))


def test_an_endpoint_that_is_somebody_elses_and_does_not_answer_is_left_to_them() -> None:
    shop = fleet(wanted(driver="none", options={"url": "tcp://192.0.2.7:2375"}))
    machine = made(shop)
    found = only(plan(shop, machine, looked=seen(machine, State.UNKNOWN, trouble="unreachable: refuses connections")))
    assert found.action is Action.NONE


def test_files_and_commands_are_refused_where_there_is_no_host_for_them() -> None:
    url = {"url": "tcp://192.0.2.7:2375"}
    for more in ({"files": (FILE,)}, {"commands": (COMMAND,)}):
        with pytest.raises(UsageError, match=r"shop\.yaml:3:1: web-1 has files or commands"):
            specs(fleet(wanted(driver="none", options=url, at=Position("shop.yaml", 3, 1), **more)))


@pytest.mark.parametrize("how", [{"timed_out": True}, {"recorded": True}, {"driven": False}])
def test_a_machine_of_which_nobody_said_anything_is_left_alone(how: dict[str, Any]) -> None:
    shop = fleet(wanted())
    machine = made(shop)
    found = only(plan(shop, machine, looked=seen(machine, State.RUNNING, trouble="no answer", **how)))
    assert found.action is Action.NONE


@pytest.mark.parametrize(("owner", "whose"), [("", "made by hand"), ("other", "of the fleet other")])
def test_a_machine_that_is_not_the_fleets_is_a_conflict_that_names_the_place(owner: str, whose: str) -> None:
    shop = fleet(wanted("WEB-1", at=Position("shop.yaml", 12, 5)))
    machine = dataclasses.replace(with_spec(made(shop, "WEB-1"), fleet=owner), name="web-1")
    with pytest.raises(NameTaken) as conflict:
        plan(shop, machine)
    assert f'shop.yaml:12:5: a machine "web-1" exists, {whose}' in str(conflict.value)


def test_machines_of_nobody_and_of_other_fleets_are_not_in_the_plan() -> None:
    shop = fleet(wanted("web-1"))
    stranger = with_spec(made(fleet(wanted("db-1")), "db-1", number=2), fleet="other")
    assert [each.machine for each in plan(shop, made(shop), stranger).changes] == ["web-1"]


def test_a_plan_is_the_same_for_the_same_question_and_counts_what_it_says() -> None:
    shop = fleet(wanted("web-1"), wanted("web-2"), wanted("web-3", labels={"tier": "front"}))
    machines = [made(shop, "web-1"), with_spec(made(shop, "web-3", number=3), labels={})]
    first, second = plan(shop, *machines), plan(shop, *machines)
    assert first == second
    assert first.counts() == {"create": 1, "update": 1, "none": 1}
    assert json.loads(json.dumps(first.document()))["counts"] == first.counts()


def test_only_what_may_be_in_use_goes_by_canaries_and_batches() -> None:
    before = fleet(wanted())
    assert not only(plan(fleet(wanted()))).disturbs
    assert not only(plan(fleet(wanted(labels={"a": "b"})), made(before))).disturbs
    assert only(plan(fleet(wanted(files=(FILE,))), made(before))).disturbs
    assert only(plan(fleet(wanted(options={"region": "south"})), made(before))).disturbs
