"""``--hosts``: what was changed on hosts is seen and put back; and another way to a given host, taken in place."""

from __future__ import annotations

import json
import os

import pytest

from tests.faults.given import GIVEN, Given
from tests.faults.scripted import ScriptedHost
from tests.faults.shop import HOSTS, PLAN, Shop
from tests.faults.world import World


@pytest.fixture
def shop(world: World) -> Shop:
    made = Shop(world)
    made.apply()
    return made


def _motd(shop: Shop, name: str) -> tuple[str, int, int, int, int]:
    path = shop.root(name) / "etc" / "motd"
    status = path.stat()
    return path.read_text(), status.st_mode & 0o777, status.st_uid, status.st_ino, status.st_mtime_ns


def _unreachable(shop: Shop, name: str) -> None:
    ScriptedHost(shop.root(name).parent).write("cleaned", "yes")


def test_without_hosts_no_host_is_asked_and_what_was_put_there_is_believed(shop: Shop) -> None:
    (shop.root("web-1") / "etc" / "motd").write_text("by hand")
    _unreachable(shop, "web-1")
    assert shop.planned() == {}
    before = shop.operations()
    shop.apply()
    assert (shop.operations(), shop.on("web-1", "etc/motd")) == (before, "by hand")


def test_what_was_changed_on_a_host_is_put_back_and_the_second_time_nothing_is_touched(shop: Shop) -> None:
    (shop.root("web-1") / "etc" / "motd").write_text("by hand")
    (shop.root("web-1") / "etc" / "motd").chmod(0o600)
    (shop.root("web-2") / "etc" / "motd").unlink()
    assert shop.planned(f"{PLAN} --hosts") == {"web-1": "update", "web-2": "update"}
    said = shop.apply(words=HOSTS).out
    assert "/etc/motd was changed on the host\n      /etc/motd has the mode 0600 on the host, not 0644\n" in said
    assert "/etc/motd was removed on the host\n" in said
    found = {name: _motd(shop, name) for name in ("web-1", "web-2")}
    assert [each[:3] for each in found.values()] == [("hello", 0o644, os.getuid())] * 2
    # A command that watches the files has run again, one that does not has not.
    assert [shop.on("web-1", name) for name in ("ran", "seen")] == ["ran\n", "hellohello"]
    before = shop.operations()
    assert "nothing to do, 3 machines are as wanted" in shop.apply(words=HOSTS).out
    assert ({name: _motd(shop, name) for name in found}, shop.operations()) == (found, before)
    shop.is_whole()


def test_settings_of_the_engine_that_were_edited_are_brought_up_once_more(shop: Shop) -> None:
    shop.web["engine"] = {"opt": ["mtu=1400"], "env": ["HTTP_PROXY=http://me:canary-4711@proxy"]}
    shop.write()
    shop.apply()
    (shop.root("web-1") / "etc" / "docker").mkdir()
    (shop.root("web-1") / "etc" / "docker" / "daemon.json").write_text('{"mtu": 1500}')
    (ended,) = shop.world.run(f"{PLAN} --hosts")
    assert ended.code == 2
    drop_in = "/etc/systemd/system/docker.service.d/50-pymachine.conf"
    assert (
        "~ web-1  update (web): /etc/docker/daemon.json: mtu was changed on the host\n"
        f"      {drop_in}: HTTP_PROXY was removed on the host\n"
    ) in ended.out
    assert "canary-4711" not in ended.out
    assert "web-1: update done" in shop.apply(words=HOSTS).out


def test_a_host_that_cannot_be_asked_is_said_and_is_neither_changed_nor_gone(shop: Shop) -> None:
    _unreachable(shop, "web-1")
    (shop.root("web-2") / "etc" / "motd").unlink()
    (ended,) = shop.world.run(f"{PLAN} --hosts -o json")
    document = json.loads(ended.out)
    assert ended.code == 1
    assert (document["hosts"], document["unknown"]) == (True, {"web-1": "the host closes the connection"})
    assert [each["machine"] for each in document["changes"]] == ["web-2"]
    ended = shop.apply(1, words=HOSTS)
    assert "Warning: web-1 could not be asked" in ended.err
    assert "1 to update; 1 as wanted, 1 could not be asked." in ended.out
    assert "1 of 1 done" in ended.out
    assert shop.on("web-2", "etc/motd") == "hello"
    assert "nothing to do" in shop.apply(1, words=HOSTS).out
    assert "the host closes the connection" in shop.world.run("fleet diff HOME/shop.yaml")[0].err


def test_a_machine_that_is_stopped_or_gone_is_not_asked(shop: Shop) -> None:
    shop.world.ok("stop web-1")
    _unreachable(shop, "web-1")
    shop.world.cloud.lose(shop.instances()["web-2"])
    assert shop.planned(f"{PLAN} --hosts") == {"web-1": "repair", "web-2": "repair"}


def test_a_provision_that_was_cut_off_and_a_changed_file_are_one_update(shop: Shop) -> None:
    child = shop.world.start("provision web-1", point="journal.event #1: after", action="kill")
    shop.world.nursery.wait(child)
    (shop.root("web-1") / "etc" / "motd").unlink()
    shop.apply(words=HOSTS)
    shop.is_whole()


def test_a_saved_plan_asks_the_hosts_again_and_is_refused_when_one_says_something_else(shop: Shop) -> None:
    (shop.root("web-1") / "etc" / "motd").write_text("by hand")
    saved = f"{PLAN} --hosts --out HOME/shop.plan"
    shop.world.run(saved)
    (shop.root("web-2") / "etc" / "motd").unlink()
    ended = shop.apply(1, words="fleet apply HOME/shop.plan")
    assert ("is stale" in ended.err, "otherwise now: web-2" in ended.err) == (True, True)
    assert shop.on("web-1", "etc/motd") == "by hand"
    shop.world.run(saved)
    shop.apply(words="fleet apply HOME/shop.plan")
    shop.is_whole()
    shop.world.run(f"{PLAN} --out HOME/shop.plan")
    assert "was made without --hosts" in shop.apply(1, words="fleet apply --hosts HOME/shop.plan").err


@pytest.mark.parametrize("words", [f"{PLAN} --hosts", HOSTS, "fleet diff HOME/shop.yaml"])
def test_who_stops_a_look_at_hosts_is_not_told_that_they_do_not_answer(shop: Shop, words: str) -> None:
    before = shop.operations()
    child = shop.world.start(words, point="shell.close_stdin #1: before", action="int")
    (ended,) = shop.world.nursery.wait(child)
    assert ended.code == 130, ended
    assert "could not be asked" not in ended.err
    assert shop.operations() == before


def test_to_ask_every_host_and_nobody_is_refused(shop: Shop) -> None:
    (ended,) = shop.world.run(f"{PLAN} --hosts --recorded")
    assert (ended.code, "--recorded asks nobody" in ended.err) == (1, True)


@pytest.mark.parametrize("driver", ["generic", "none"])
def test_another_way_to_a_given_host_is_taken_in_place(world: World, driver: str) -> None:
    given = Given(world, driver)
    given.write()
    world.ok(GIVEN)
    given.write(changed=True)
    (ended,) = world.ok(GIVEN)
    assert "~ app-1  update (app): " in ended.out
    assert given.is_as_wanted()
    kinds = [row["kind"] for row in world.rows("SELECT kind FROM operations ORDER BY id")]
    assert kinds == ["create", "provision"]
    assert "nothing to do" in world.ok(GIVEN)[0].out


def test_an_endpoint_that_has_no_certificates_any_more_keeps_no_private_key(world: World) -> None:
    given = Given(world, "none")
    given.write()
    world.ok(GIVEN)
    given.options = {"url": given.options["url"]}
    given.write()
    world.ok(GIVEN)
    assert [row["route"] for row in world.rows("SELECT route FROM machines")] == ["plain"]
    assert os.listdir(world.store / "machines" / "app-1") == []


@pytest.mark.parametrize(
    ("driver", "why", "said"),
    [
        ("generic", "another_port_is_closed", "nothing listens on port 2222"),
        ("generic", "nobody_becomes_root", "ada does not become root on app-1"),
        ("none", "another_certificate_is_refused", "it does not know this client"),
    ],
)
def test_a_way_that_does_not_lead_there_is_not_recorded(world: World, driver: str, why: str, said: str) -> None:
    given = Given(world, driver)
    given.write()
    world.ok(GIVEN)
    before = given.recorded()
    given.write(changed=True)
    (ended,) = world.run(GIVEN, prelude=f"tests.faults.given:{why}")
    assert ended.code == 1
    assert said in ended.err
    assert "app-1 is recorded as it was, and nothing on it was changed" in ended.err
    assert given.recorded() == before
    given.write()
    world.ok(GIVEN)
    assert given.recorded() == before
    assert "nothing to do" in world.ok(GIVEN)[0].out


def test_a_host_key_that_is_vouched_for_must_be_the_one_that_is_pinned(world: World) -> None:
    given = Given(world)
    given.write()
    world.ok(GIVEN)
    given.write({"host-key": f"SHA256:{'A' * 43}"})
    (ended,) = world.run(GIVEN)
    assert ended.code == 1
    assert "the host key of app-1 is not the one you gave" in ended.err
    from machine.trust.sshkeys import fingerprint

    given.write({"host-key": fingerprint(world.host.key())})
    world.ok(GIVEN)
    assert given.access()["host_key_fingerprint"] == fingerprint(world.host.key())


def test_a_key_that_is_not_there_is_said_before_anything_is_tried(world: World) -> None:
    given = Given(world)
    given.write()
    world.ok(GIVEN)
    given.write({"ssh-key": "/nonexistent/key"})
    (ended,) = world.run(GIVEN)
    assert ended.code == 1
    assert "there is no file /nonexistent/key" in ended.err
