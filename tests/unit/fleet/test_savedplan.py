"""Saved plans: what makes one stale, and what is not in it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from machine.errors import HostUnreachable, UsageError
from machine.fleet.changes import Plan
from machine.fleet.digest import digest_of
from machine.fleet.hostseen import HostSeen
from machine.fleet.model import Fleet
from machine.fleet.savedplan import check_not_stale, read_plan, write_plan
from machine.model import Machine
from tests.unit.fleet.fleets import COMMAND, FILE, fleet, made, plan, specs, wanted

SHOP = fleet(wanted("web-1", files=(FILE,), commands=(COMMAND,)), wanted("web-2"))


def sealed(of: Fleet, *machines: Machine, epochs: Mapping[int, int] | None = None) -> Plan:
    found = plan(of, *machines)
    return found.with_digest(digest_of(found, of, specs(of), machines, epochs or {1: 1}))


def test_the_same_question_has_the_same_digest() -> None:
    assert sealed(SHOP, made(SHOP)).digest == sealed(SHOP, made(SHOP)).digest


@pytest.mark.parametrize(
    "other",
    [
        fleet(wanted("web-1", files=(FILE,), commands=(COMMAND,))),
        fleet(wanted("web-1", files=(FILE,), commands=(COMMAND,)), wanted("web-2"), parallel=3),
        fleet(wanted("web-1", files=(FILE,), commands=(COMMAND,)), wanted("web-2", labels={"a": "b"})),
        fleet(wanted("web-1", files=(FILE,), commands=(COMMAND,)), wanted("web-2", options={"size": 2})),
        fleet(wanted("web-1", files=(FILE,)), wanted("web-2")),
        fleet(wanted("web-1", files=(dataclasses.replace(FILE, mode=0o600),), commands=(COMMAND,)), wanted("web-2")),
    ],
    ids=["a machine", "limits", "labels", "options", "commands", "a mode"],
)
def test_another_file_makes_a_plan_stale(other: Fleet) -> None:
    assert sealed(other, made(SHOP)).digest != sealed(SHOP, made(SHOP)).digest


def test_an_operation_on_a_machine_makes_a_plan_stale() -> None:
    assert sealed(SHOP, made(SHOP), epochs={1: 2}).digest != sealed(SHOP, made(SHOP)).digest


def test_what_hosts_say_makes_a_plan_stale_and_the_words_in_which_one_is_not_reached_do_not() -> None:
    def digest(host: HostSeen | None) -> str:
        hosts = None if host is None else {1: host}
        return digest_of(plan(SHOP, made(SHOP), hosts=hosts), SHOP, specs(SHOP), [made(SHOP)], {1: 1}, hosts)

    closed, silent = (HostUnreachable(text, layer="port") for text in ("it refuses", "no answer in 3.1 s"))
    said = [
        None,
        HostSeen(),
        HostSeen(files={"/etc/motd": "missing"}),
        HostSeen(engine=("mtu was changed",)),
        HostSeen(error=closed),
    ]
    assert len({digest(each) for each in said}) == len(said)
    assert digest(HostSeen(error=closed)) == digest(HostSeen(error=silent))


def test_a_saved_plan_knows_whether_hosts_were_asked_for_it(tmp_path: Path) -> None:
    for hosts in (None, {1: HostSeen()}):
        path = str(tmp_path / "shop.plan")
        write_plan(path, plan(SHOP, made(SHOP), hosts=hosts), {})
        assert read_plan(path).hosts is (hosts is not None)


def test_a_stale_plan_is_refused_and_says_what_is_otherwise(tmp_path: Path) -> None:
    path = str(tmp_path / "shop.plan")
    write_plan(path, sealed(SHOP), {})
    check_not_stale(read_plan(path), sealed(SHOP), path)
    with pytest.raises(UsageError, match="is stale") as stale:
        check_not_stale(read_plan(path), sealed(SHOP, made(SHOP)), path)
    assert stale.value.cause == "otherwise now: web-1"


def test_a_plan_holds_no_value_of_a_variable_and_no_password(tmp_path: Path) -> None:
    engine: dict[str, Any] = {"environment": ("HTTP_PROXY=http://me:canary-4711@proxy",)}
    path = tmp_path / "plans" / "shop.plan"
    path.parent.mkdir()
    write_plan(str(path), sealed(fleet(wanted("web-1", engine=engine)), made(SHOP)), {"key": "canary-4711"})
    assert "canary-4711" not in path.read_text()
    assert read_plan(str(path)).variables == ("key",)
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(path.parent.iterdir()) == [path]


def test_a_plan_that_is_not_there_is_not_called_a_bad_one(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no plan"):
        read_plan(str(tmp_path / "x.plan"))


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"format": "another"}', "\x00"])
def test_what_is_no_plan_is_told(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.plan"
    path.write_text(text)
    with pytest.raises(UsageError, match="is not a plan"):
        read_plan(str(path))
