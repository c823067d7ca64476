"""``fleet apply`` through the real command: a cloud in a file, and hosts whose shell is a real one."""

from __future__ import annotations

import json
import os
import time

import pytest

from tests.faults.shop import APPLY, PLAN, Shop
from tests.faults.world import World


@pytest.fixture
def shop(world: World) -> Shop:
    return Shop(world)


def test_every_machine_is_made_with_its_files_and_commands_and_the_second_apply_does_nothing(shop: Shop) -> None:
    assert shop.planned() == {"db-1": "create", "web-1": "create", "web-2": "create"}
    shop.apply()
    shop.is_whole()
    assert [shop.on("web-1", name) for name in ("ran", "seen")] == ["ran\n", "hello"]
    assert shop.on("db-1", "etc/motd") == ""
    before = shop.operations(), shop.instances(), len(shop.world.cloud.calls())
    assert "nothing to do, 3 machines are as wanted" in shop.apply().out
    assert (shop.operations(), shop.instances()) == before[:2]
    assert set(shop.world.cloud.calls()[before[2] :]) == {"describe"}


def test_a_group_is_begun_when_the_one_that_it_depends_on_is_there(shop: Shop) -> None:
    shop.apply(words="fleet apply HOME/shop.yaml")
    rows = shop.world.rows("SELECT machine, started_at, finished_at FROM operations")
    at = {row["machine"]: row for row in rows}
    assert min(at["web-1"]["started_at"], at["web-2"]["started_at"]) >= at["db-1"]["finished_at"]


def test_another_file_is_put_on_each_host_in_place_and_only_what_watches_it_runs(shop: Shop) -> None:
    shop.apply()
    before = shop.instances()
    shop.motd = "good evening"
    shop.write()
    assert shop.planned() == {"web-1": "update", "web-2": "update"}
    shop.apply()
    shop.is_whole()
    assert shop.instances() == before
    assert [shop.on("web-1", name) for name in ("ran", "seen")] == ["ran\n", "hellogood evening"]


def test_a_file_has_its_mode_and_no_temporary_one_is_left(shop: Shop) -> None:
    shop.web["files"][0]["mode"] = "0600"
    shop.write()
    shop.apply()
    place = shop.root("web-1") / "etc"
    assert (place / "motd").stat().st_mode & 0o777 == 0o600
    assert [each.name for each in place.iterdir()] == ["motd"]


def test_labels_change_without_a_word_to_the_host(shop: Shop) -> None:
    shop.apply()
    shop.web["labels"] = {"tier": "front"}
    shop.write()
    said = shop.apply().out
    assert "label tier: (nothing) → front" in said
    assert "Connecting" not in said
    shop.is_whole()
    (row,) = shop.world.rows("SELECT spec FROM machines WHERE name = 'web-1'")
    assert json.loads(row["spec"])["labels"] == {"tier": "front"}


def test_another_size_stops_resizes_and_starts_and_another_region_replaces(shop: Shop) -> None:
    shop.apply()
    before = shop.instances()
    shop.web["options"] = {"size": 4}
    shop.db["options"] = {"region": "south"}
    shop.write()
    assert shop.planned() == {"db-1": "replace", "web-1": "update", "web-2": "update"}
    shop.apply()
    shop.is_whole()
    after = shop.instances()
    assert (after["web-1"], after["web-2"]) == (before["web-1"], before["web-2"])
    assert after["db-1"] != before["db-1"]
    there = {each.machine: each for each in shop.world.cloud.instances()}
    assert (there["db-1"].region, there["web-1"].size, there["web-1"].state) == ("south", 4, "running")


def test_what_would_be_removed_or_replaced_is_refused_where_nobody_can_be_asked(shop: Shop) -> None:
    shop.apply()
    before = shop.instances()
    shop.db["options"] = {"region": "south"}
    shop.web["count"] = 1
    shop.write()
    ended = shop.apply(1, words="fleet apply HOME/shop.yaml")
    assert "2 machines would be removed or replaced, and there is nobody to ask" in ended.err
    assert shop.instances() == before


def test_a_machine_that_the_file_has_no_more_goes_and_one_of_nobody_stays(shop: Shop) -> None:
    shop.world.ok("create -d memory mine")
    shop.apply()
    shop.web["count"] = 1
    shop.write()
    shop.apply()
    assert sorted(shop.instances()) == ["db-1", "mine", "web-1"]


def test_a_machine_made_by_hand_with_a_wanted_name_is_told_and_nothing_is_done(shop: Shop) -> None:
    shop.world.ok("create -d memory web-2")
    before = shop.instances()
    ended = shop.apply(1)
    assert 'a machine "web-2" exists, made by hand' in ended.err
    assert "shop.yaml:" in ended.err
    assert shop.instances() == before


def test_a_group_that_fails_its_pre_check_lets_nothing_begin_anywhere(shop: Shop) -> None:
    shop.write(app={"driver": "generic", "machines": {"app-1": {"options": {
        "ip-address": "192.0.2.7", "ssh-key": "/nonexistent/key"}}}})  # fmt: skip
    ended = shop.apply(1)
    assert "shop.yaml:" in ended.err
    assert "/nonexistent/key" in ended.err
    assert (shop.instances(), shop.world.names()) == ({}, [])


def test_a_command_that_fails_is_shown_with_its_words_and_exit_code_and_run_again_by_the_next_apply(shop: Shop) -> None:
    shop.web["commands"] = ["echo first >>first", "echo so much the worse >&2; exit $((6 + 1))", "echo last >>last"]
    shop.web["count"] = 1
    shop.write()
    ended = shop.apply(1)
    assert "exited 7" in ended.err
    assert "so much the worse" in ended.err
    assert "pymachine fleet apply" in ended.err
    assert "pymachine create" not in ended.err
    assert [shop.on("web-1", name) for name in ("first", "last")] == ["first\n", ""]
    assert shop.planned() == {"web-1": "finish"}
    shop.web["commands"][1] = "true"
    shop.write()
    shop.apply()
    assert [shop.on("web-1", name) for name in ("first", "last")] == ["first\n", "last\n"]


def test_what_a_command_says_is_in_the_log_and_the_text_of_a_command_is_not_in_the_store(shop: Shop) -> None:
    shop.web["commands"] = ["echo it is done; : canary-4711"]
    shop.write()
    shop.apply()
    logs = "".join(path.read_text() for path in (shop.world.store / "logs").iterdir())
    assert "on the host: it is done" in logs
    assert "canary-4711" not in str([tuple(row) for row in shop.world.rows("SELECT applied, spec FROM machines")])


def test_a_directory_where_a_file_shall_be_is_told(shop: Shop) -> None:
    shop.web["files"][0]["target"] = "/srv"
    shop.web["commands"] = []
    shop.write()
    shop.apply()
    (shop.root("web-1") / "etc").mkdir()
    shop.web["files"][0]["target"] = "/etc"
    shop.write()
    assert "/etc is a directory" in shop.apply(1).err


def test_one_that_fails_does_not_stop_the_others_until_there_are_too_many(shop: Shop) -> None:
    shop.web.update(count=6, limits={"max-failures": 1}, commands=["exit 3"])
    shop.write()
    ended = shop.apply(1)
    assert ended.err.count("exited 3") == 2
    assert "Not begun: web-3, web-4, web-5, web-6 (2 of the group web failed)" in ended.err
    ended = shop.apply(1, words=f"{APPLY} --max-failures 9")
    assert ended.err.count("exited 3") == 6


def test_what_depends_on_a_group_that_failed_is_not_begun(shop: Shop) -> None:
    shop.db["commands"] = ["exit 3"]
    shop.write()
    ended = shop.apply(1)
    assert "(the group db is not as wanted)" in ended.err
    assert sorted(shop.instances()) == ["db-1"]


def test_a_canary_that_fails_keeps_the_change_from_the_others(shop: Shop) -> None:
    shop.web.update(count=4, limits={"canary": 1, "max-failures": 3})
    shop.write()
    shop.apply()
    shop.web["commands"].append("exit 3")
    shop.write()
    ended = shop.apply(1)
    assert ended.err.count("exited 3") == 1
    assert "Not begun: web-2, web-3, web-4 (a canary failed)" in ended.err


def test_a_canary_whose_engine_does_not_answer_afterwards_keeps_the_change_from_the_others(shop: Shop) -> None:
    shop.web.update(count=3, limits={"canary": 1})
    shop.write()
    shop.apply()
    shop.motd = "another"
    shop.write()
    child = shop.world.start(APPLY, prelude="tests.faults.shop:sick_after_a_change")
    (ended,) = shop.world.nursery.wait(child)
    assert ended.code == 1
    assert "web-1 was changed and does not do its work" in ended.err
    assert "Not begun: web-2, web-3 (a canary failed)" in ended.err
    assert [shop.on(name, "etc/motd") for name in ("web-1", "web-2")] == ["another", "hello"]


def test_a_machine_that_was_lost_at_the_provider_is_made_again_and_one_that_is_stopped_is_started(shop: Shop) -> None:
    shop.apply()
    before = shop.instances()
    shop.world.cloud.lose(before["web-1"])
    shop.world.ok("stop web-2")
    assert shop.planned() == {"web-1": "repair", "web-2": "repair"}
    shop.apply()
    shop.is_whole()
    after = shop.instances()
    assert after["web-2"] == before["web-2"]
    assert after["web-1"] != before["web-1"]


def test_a_plan_is_saved_without_values_and_refused_when_stale(shop: Shop) -> None:
    saved = f"{PLAN} --out HOME/shop.plan"
    assert shop.world.run(saved)[0].code == 2
    place = shop.world.home / "shop.plan"
    assert place.stat().st_mode & 0o777 == 0o600
    shop.apply(words="fleet apply HOME/shop.plan")
    shop.is_whole()
    assert "is stale" in shop.apply(1, words="fleet apply HOME/shop.plan").err
    shop.motd = "another"
    shop.write()
    shop.world.run(saved)
    shop.world.ok("stop web-2")
    assert "otherwise now: web-2" in shop.apply(1, words="fleet apply HOME/shop.plan").err


def test_a_saved_plan_that_replaces_asks_nobody(shop: Shop) -> None:
    shop.apply()
    shop.db["options"] = {"region": "south"}
    shop.write()
    shop.world.run(f"{PLAN} --out HOME/shop.plan")
    shop.apply(words="fleet apply HOME/shop.plan")
    shop.is_whole()


def _stopped_in_the_middle(shop: Shop) -> object:
    """An apply that stands still while it makes its first machine."""
    child = shop.world.start(APPLY, point="driver.memory.create #1: before", action="stop")
    shop.world.nursery.wait(child, stopped=True)
    return child


def test_a_second_apply_waits_and_finds_everything_done(shop: Shop) -> None:
    first = _stopped_in_the_middle(shop)
    second = shop.world.start(APPLY)
    out = shop.world.children / os.path.basename(second.place) / "command-0" / "err"
    until = time.monotonic() + 20
    while "Waiting for another apply of the fleet shop: " not in (out.read_text() if out.exists() else ""):
        assert time.monotonic() < until
        time.sleep(0.01)
    shop.world.nursery.resume(first)
    (ended,) = shop.world.nursery.wait(first)
    assert ended.code == 0, ended
    (ended,) = shop.world.nursery.wait(second)
    assert ended.code == 0, ended
    assert "nothing to do" in ended.out
    assert f"process {first.pid}, since" in ended.err
    shop.is_whole()


def test_with_no_wait_the_second_says_who_holds_it_and_a_killed_holder_holds_nothing(shop: Shop) -> None:
    first = _stopped_in_the_middle(shop)
    ended = shop.apply(1, words=f"{APPLY} --no-wait")
    assert f"process {first.pid}, since" in ended.err
    assert "@" in ended.err
    shop.world.nursery.end(first)
    shop.world.nursery.wait(first)
    shop.apply(words=f"{APPLY} --no-wait")
    shop.is_whole()


def test_ctrl_c_stops_between_steps_and_the_next_apply_goes_on(shop: Shop) -> None:
    child = shop.world.start(APPLY, point="driver.memory.create #2: after", action="int")
    (ended,) = shop.world.nursery.wait(child)
    assert ended.code == 130, ended
    assert "Not begun: web-2" in ended.err
    shop.apply()
    shop.is_whole()
