"""A fleet of five real machines, with files, commands, a dependency and an override, from its plan to its end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.command import Pymachine

pytestmark = pytest.mark.e2e

NAMES = ["db-1", "web-1", "web-2", "web-3", "worker-1"]
_WHAT = """
cat /proc/sys/kernel/random/boot_id
systemctl show --property InvocationID docker.service pymachine-agent.service
stat -c '%n %i %y %a %U' /etc/app.conf
cat /etc/app.conf /var/lib/ran /var/lib/seen
"""
# Journals of a machine that has only just booted may be volatile, and are there all the same.
_LOGINS = "journalctl --no-pager -o cat | grep -c 'Accepted publickey'"


class Fleet:
    """The file, and the commands on it."""

    def __init__(self, pymachine: Pymachine, place: Path) -> None:
        self._pymachine, self._place = pymachine, place
        self.conf = "one\n"
        self.memory = "1g"

    def write(self) -> str:
        (self._place / "app.conf").write_text(self.conf)
        common = {
            "files": [{"source": "app.conf", "target": "/etc/app.conf", "mode": "0640"}],
            "commands": [
                "echo ran >>/var/lib/ran",
                {"run": "cat /etc/app.conf >>/var/lib/seen", "when": "changed"},
            ],
        }
        document = {
            "fleet": "shop",
            "defaults": {"driver": "nspawn", **common},
            "groups": {
                "db": {},
                "web": {"count": 3, "depends": ["db"], "machines": {"web-2": {"options": {"memory": self.memory}}}},
                "worker": {"depends": ["db"], "labels": {"tier": "back"}},
            },
        }
        (self._place / "fleet.yaml").write_text(json.dumps(document, indent=1))
        return str(self._place / "fleet.yaml")

    def __call__(self, command: str, *arguments: str, code: int = 0) -> str:
        return self._pymachine("fleet", command, self.write(), *arguments, code=code).stdout

    def planned(self) -> dict[str, str]:
        plan = self._pymachine("fleet", "plan", self.write(), "-o", "json", code=None)
        document: dict[str, Any] = json.loads(plan.stdout)
        assert plan.returncode == (2 if document["changes"] else 0)
        return {each["machine"]: each["action"] for each in document["changes"]}

    def hosts(self, command: str = _WHAT) -> dict[str, str]:
        return {name: self._pymachine("ssh", name, command).stdout for name in NAMES}


def test_a_fleet_is_made_left_alone_changed_in_place_replaced_and_removed(pymachine: Pymachine, tmp_path: Path) -> None:
    fleet = Fleet(pymachine, tmp_path)
    assert fleet.planned() == dict.fromkeys(NAMES, "create")
    said = fleet("apply", "-y")
    assert "5 of 5 done" in said
    assert fleet.hosts(_LOGINS) == dict.fromkeys(NAMES, "2\n")  # that of the apply, and that of the question
    before = fleet.hosts()
    assert all(each.endswith("one\nran\none\n") for each in before.values()), before
    assert all("/etc/app.conf" in each and " 640 root" in each for each in before.values()), before
    starts = {row["name"]: row for row in json.loads(pymachine("ls", "-o", "json").stdout)}
    assert {row["state"] for row in starts.values()} == {"Running"}

    assert fleet.planned() == {}
    assert "nothing to do" in fleet("apply", "-y")
    assert "all is as it was left" in fleet("diff")
    assert fleet.hosts() == before

    fleet.conf = "two\n"
    assert fleet.planned() == dict.fromkeys(NAMES, "update")
    fleet("apply")
    changed = fleet.hosts()
    for name in NAMES:
        assert changed[name].splitlines()[:3] == before[name].splitlines()[:3], "nothing is restarted"
        assert changed[name].endswith("two\nran\none\ntwo\n")

    fleet.memory = "1200m"
    assert fleet.planned() == {"web-2": "replace"}
    pymachine("fleet", "apply", fleet.write(), code=1)  # there is nobody to ask
    assert fleet.hosts() == changed
    fleet("apply", "-y")
    after = fleet.hosts()
    assert {name for name in NAMES if after[name] != changed[name]} == {"web-2"}
    assert after["web-2"].endswith("two\nran\ntwo\n")
    assert fleet.planned() == {}

    pymachine("ssh", "web-1", "echo by hand >/etc/app.conf")
    assert "web-1:\n  /etc/app.conf was changed on the host\n" in fleet("diff", code=2)
    assert fleet.planned() == {}
    left = fleet.hosts()
    fleet("apply", "--hosts")
    back = fleet.hosts()
    assert {name for name in NAMES if back[name] != left[name]} == {"web-1"}
    assert back["web-1"].splitlines()[:3] == left["web-1"].splitlines()[:3], "nothing is restarted"
    assert back["web-1"].endswith("two\nran\none\ntwo\ntwo\n")
    assert "nothing to do" in fleet("apply", "--hosts")
    assert fleet.hosts() == back

    fleet("destroy", "-y")
    assert pymachine("ls", "-q").stdout == ""
