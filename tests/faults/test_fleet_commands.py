"""The other commands of a fleet, on one that has been applied."""

from __future__ import annotations

import json
import re
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.faults.shop import Shop
from tests.faults.world import World


@pytest.fixture
def shop(world: World) -> Shop:
    made = Shop(world)
    made.apply()
    return made


def _said(shop: Shop, words: str, code: int = 0) -> str:
    (ended,) = shop.world.run(words)
    assert ended.code == code, ended
    return ended.out


def _json(shop: Shop, words: str, code: int = 0) -> Any:
    return json.loads(_said(shop, words, code))


def test_destroy_removes_what_waits_for_others_first_and_nothing_else(shop: Shop) -> None:
    shop.world.ok("create -d memory mine")
    (asked,) = shop.world.run("fleet destroy HOME/shop.yaml")
    assert asked.code == 1
    assert len(shop.instances()) == 4
    _said(shop, "fleet destroy -y HOME/shop.yaml")
    assert list(shop.instances()) == ["mine"]
    removes = shop.world.rows("SELECT machine FROM operations WHERE kind = 'remove' ORDER BY started_at")
    assert [row["machine"] for row in removes][-1] == "db-1"
    assert "nothing to remove" in _said(shop, "fleet destroy -y HOME/shop.yaml")


def test_destroy_goes_on_where_one_stays_and_says_which(shop: Shop) -> None:
    shop.world.cloud.fail("terminate")
    (ended,) = shop.world.run("fleet destroy -y --parallel 1 HOME/shop.yaml")
    assert ended.code == 1
    assert "2 of 3 done, 1 failed" in ended.out
    assert "pymachine fleet destroy" in ended.err
    assert list(shop.instances()) == ["web-1"]


def test_destroy_also_removes_what_the_file_has_no_more(shop: Shop) -> None:
    shop.web["count"] = 1
    shop.write()
    _said(shop, "fleet destroy -y HOME/shop.yaml")
    assert shop.instances() == {}


def test_status_shows_what_is_wanted_recorded_and_seen(shop: Shop) -> None:
    shop.world.ok("stop web-1")
    shop.world.cloud.lose(shop.instances()["db-1"])
    shop.web["count"] = 3
    shop.write()
    rows = {each["machine"]: each for each in _json(shop, "fleet status -o json HOME/shop.yaml")}
    found = {name: (row["recorded"], row["observed"], row["action"]) for name, row in rows.items()}
    assert found == {
        "db-1": ("Running", "Gone", "repair"),
        "web-1": ("Stopped", "Stopped", "repair"),
        "web-2": ("Running", "Running", "none"),
        "web-3": ("", "", "create"),
    }
    table = _said(shop, "fleet status HOME/shop.yaml").splitlines()
    assert table[0].split() == ["MACHINE", "GROUP", "WANTED", "RECORDED", "OBSERVED", "URL", "PLAN"]
    assert len(table) == 5


def test_diff_finds_nothing_on_machines_that_are_as_they_were_left(shop: Shop) -> None:
    assert "all is as it was left" in _said(shop, "fleet diff HOME/shop.yaml")


def test_diff_finds_files_and_engine_settings_that_are_not_as_they_were_left(shop: Shop) -> None:
    shop.web["engine"] = {"opt": ["mtu=1400"]}
    shop.write()
    shop.apply()
    place = shop.root("web-1") / "etc"
    (place / "docker").mkdir()
    (place / "docker" / "daemon.json").write_text('{"mtu": 1400, "debug": true}')
    (place / "motd").write_text("something else")
    (place / "motd").chmod(0o600)
    (shop.root("web-2") / "etc" / "motd").unlink()
    found = _json(shop, "fleet diff -o json HOME/shop.yaml", 2)
    assert found == {
        "web-1": ["/etc/motd was changed on the host", "/etc/motd has the mode 0600 on the host, not 0644"],
        "web-2": ["/etc/motd was removed on the host", "/etc/docker/daemon.json: mtu was removed on the host"],
    }
    said = _said(shop, "fleet diff HOME/shop.yaml", 2)
    assert said.endswith(f"To put it back: pymachine fleet apply --hosts {shop.world.home}/shop.yaml\n")


def test_diff_says_what_is_gone_or_stopped(shop: Shop) -> None:
    shop.world.ok("stop web-1")
    shop.world.cloud.lose(shop.instances()["db-1"])
    assert _json(shop, "fleet diff -o json HOME/shop.yaml", 2) == {"db-1": ["it is gone"], "web-1": ["it is stopped"]}


def test_a_file_is_written_from_machines_that_exist_and_they_are_the_fleets_when_it_adopts_them(world: World) -> None:
    world.ok("create -d memory --memory-region south -n 3 app", "create -d memory --tls-san db.example.org db")
    shop = Shop(world, write=False)
    file = "HOME/old.yaml"
    assert "4 machines" in _said(shop, f"fleet import --name old {file}")
    text = (world.home / "old.yaml").read_text()
    assert re.search(r"app:\n +driver: memory\n +options:\n +region: south\n +count: 3\n", text), text
    before = shop.instances()
    (ended,) = world.run(f"fleet plan {file}")
    assert ended.code == 1
    assert "--adopt" in ended.err
    _said(shop, f"fleet import --adopt {file}")
    _said(shop, f"fleet plan {file}")  # exits 0: nothing would change
    assert shop.instances() == before
    specs = [json.loads(row["spec"]) for row in world.rows("SELECT spec FROM machines ORDER BY name")]
    assert [(each["name"], each["fleet"], each["group"]) for each in specs] == [
        ("app-1", "old", "app"),
        ("app-2", "old", "app"),
        ("app-3", "old", "app"),
        ("db", "old", "db"),
    ]


def test_an_import_overwrites_nothing_and_takes_nothing_from_another_fleet(shop: Shop) -> None:
    before = (shop.world.home / "shop.yaml").read_text()
    (ended,) = shop.world.run("fleet import HOME/shop.yaml")
    assert (ended.code, "nothing was written" in ended.err) == (1, True)
    assert (shop.world.home / "shop.yaml").read_text() == before
    (shop.world.home / "thief.yaml").write_text(before.replace('"shop"', '"thief"'))
    (ended,) = shop.world.run("fleet import --adopt HOME/thief.yaml")
    assert (ended.code, "is of the fleet shop" in ended.err) == (1, True)


def test_the_picture_shows_every_group_its_states_and_what_waits_for_what(shop: Shop) -> None:
    shop.world.ok("stop web-1")
    svg = ElementTree.fromstring(_said(shop, "fleet graph HOME/shop.yaml"))
    texts = [each.text for each in svg.iter("{http://www.w3.org/2000/svg}text")]
    assert {"db", "web", "1 × memory", "2 × memory", "1 Running"} <= set(texts)
    assert {"1 Stopped, 1 Running", "1 Running, 1 Stopped"} & set(texts)
    assert sum("marker-end" in each.attrib for each in svg.iter("{http://www.w3.org/2000/svg}path")) == 1
    assert '"db" -> "web";' in _said(shop, "fleet graph -o dot HOME/shop.yaml")
    assert "g0 --> g1" in _said(shop, "fleet graph -o mermaid HOME/shop.yaml")
