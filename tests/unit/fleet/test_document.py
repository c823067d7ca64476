"""What a fleet file says, expanded to machines."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path
from typing import Any

import pytest

from machine.errors import UsageError
from machine.fleet.document import load_fleet
from machine.fleet.model import CommandOnHost, Limits, Position, WantedMachine
from machine.fleet.schema import fleet_schema
from tests.unit.fleet.marked import load, write

LOCAL = "fleet: x\ndefaults: {driver: nspawn}\n"


def by_name(directory: Path, text: str, **more: Any) -> dict[str, WantedMachine]:
    return {each.name: each for each in load(directory, text, **more).machines()}


def test_the_machine_is_asked_before_the_group_and_the_group_before_the_defaults(tmp_path: Path) -> None:
    machines = by_name(
        tmp_path,
        """
fleet: shop
defaults:
  driver: nspawn
  options: {memory: 1g, cpus: 1, suite: bookworm}
  labels: {env: prod, role: none}
  engine: {opt: [live-restore], env: [A=b]}
  tls-san: [a.example.org]
groups:
  web:
    count: 2
    options: {memory: 2g, cpus: 2}
    labels: {role: web}
    engine: {opt: [debug]}
    machines:
      web-2: {options: {cpus: 3}, labels: {canary: yes}, host-key-policy: strict, tls-san: [b.example.org]}
""",
    )
    first, second = machines["web-1"], machines["web-2"]
    assert (first.group, first.driver) == ("web", "nspawn")
    assert first.options == {"memory": 2 << 30, "cpus": 2.0, "suite": "bookworm"}
    assert second.options == {"memory": 2 << 30, "cpus": 3.0, "suite": "bookworm"}
    assert first.engine == {"options": ("debug",), "environment": ("A=b",)} == second.engine
    assert first.labels == {"env": "prod", "role": "web"}
    assert second.labels == {"env": "prod", "role": "web", "canary": "yes"}
    assert (first.host_key_policy, second.host_key_policy) == (None, "strict")
    assert (first.tls_san, second.tls_san) == (("a.example.org",), ("b.example.org",))


def test_a_plus_adds_to_what_is_inherited_and_an_empty_value_takes_it_away(tmp_path: Path) -> None:
    machines = by_name(
        tmp_path,
        LOCAL
        + """
groups:
  web:
    count: 2
    options: {memory: 1g, cpus: 1}
    labels: {a: b}
    engine: {opt: [debug]}
    commands: [one]
    machines:
      1: {options: {memory: }, labels: {a: }, engine: {opt+: live-restore}, commands+: [two]}
""",
    )
    assert machines["web-1"].options == {"cpus": 1.0}
    assert machines["web-1"].labels == {}
    assert machines["web-1"].engine == {"options": ("debug", "live-restore")}
    assert [each.run for each in machines["web-1"].commands] == ["one", "two"]
    assert [each.run for each in machines["web-2"].commands] == ["one"]


def test_a_plus_with_nothing_below_it_is_the_list_itself(tmp_path: Path) -> None:
    groups = "groups: {web: {commands+: [one]}, db: {machines: {db-1: {commands+: [two], engine: {opt+: debug}}}}}\n"
    machines = by_name(tmp_path, LOCAL + groups)
    assert [[command.run for command in each.commands] for each in machines.values()] == [["one"], ["two"]]
    assert machines["db-1"].engine == {"options": ("debug",)}


def test_options_in_defaults_are_those_of_the_driver_in_defaults(tmp_path: Path) -> None:
    machines = by_name(
        tmp_path,
        """
fleet: x
defaults: {driver: nspawn, options: {memory: 1g}, labels: {a: b}}
groups:
  web: {driver: generic, options: {ip-address: 192.0.2.1}}
""",
    )
    assert machines["web-1"].options == {"ip_address": "192.0.2.1"}
    assert machines["web-1"].labels == {"a": "b"}


@pytest.mark.parametrize(
    ("group", "names"),
    [
        ("", ["web-1"]),
        ("{count: 0}", []),
        ("{machines: {}}", []),
        ("{count: 3}", ["web-1", "web-2", "web-3"]),
        ("{count: 3.0}", ["web-1", "web-2", "web-3"]),
        ('{count: 2, name: "{group}{number:03}.example.org"}', ["web001.example.org", "web002.example.org"]),
        ("{name: solo}", ["solo"]),
        ("{machines: {b: , a: }}", ["b", "a"]),
        ("{machines: {10: , 20: }}", ["web-10", "web-20"]),
    ],
)
def test_a_group_has_as_many_machines_as_it_says_and_they_are_called_by_its_pattern(
    tmp_path: Path, group: str, names: list[str]
) -> None:
    assert list(by_name(tmp_path, f"{LOCAL}groups:\n  web: {group}\n")) == names


def test_what_is_said_of_a_machine_beyond_the_count_is_kept_and_told_of(tmp_path: Path) -> None:
    fleet = load(tmp_path, LOCAL + "groups:\n  web: {count: 1, machines: {web-3: {labels: {a: b}}}}\n")
    assert [each.name for each in fleet.machines()] == ["web-1"]
    assert "web-3 is not among the machines of web: count is 1" in fleet.warnings[0]


def test_scalars_are_what_people_see_and_not_what_yaml_makes_of_them(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content")
    machine = by_name(
        tmp_path,
        """
fleet: x
groups:
  web:
    driver: aws
    labels: {version: 1.10, number: 0755, day: 2024-01-01, yes: no, on: true}
    options: {root-size: 20, open-port: [80, 53/udp], spot: true, monitoring: "yes", tags: "a=b"}
    files:
      - {source: file, target: /a, mode: 0600}
      - {source: file, target: /b, mode: "755", owner: "1000"}
      - {source: file, target: /c, mode: 0o640}
      - {source: file, target: /d}
""",
    )["web-1"]
    assert machine.labels == {"version": "1.10", "number": "0755", "day": "2024-01-01", "yes": "no", "on": "true"}
    assert machine.options == {
        "root_size": 20, "open_port": ("80", "53/udp"), "spot": True, "monitoring": True, "tags": "a=b",
    }  # fmt: skip
    assert [each.mode for each in machine.files] == [0o600, 0o755, 0o640, 0o644]
    assert [each.owner for each in machine.files] == ["root:root", "1000", "root:root", "root:root"]
    assert {each.digest for each in machine.files} == {hashlib.sha256(b"content").hexdigest()}


def test_commands_and_limits_come_as_they_were_said(tmp_path: Path) -> None:
    fleet = load(
        tmp_path,
        LOCAL
        + "groups:\n  web:\n    commands: ['ls /', {run: reload, when: changed}]\n"
        + "    limits: {parallel: 3, max-failures: 1, canary: 1, batch: 5, per-second: 2}\n  db: {depends: [web]}\n",
    )
    web, db = fleet.groups
    assert web.machines[0].commands == (CommandOnHost(run="ls /"), CommandOnHost(run="reload", when="changed"))
    assert web.limits == Limits(parallel=3, max_failures=1, canary=1, batch=5, per_second=2.0)
    assert (db.limits, db.depends) == (Limits(), ("web",))
    assert web.at == Position(fleet.file, 4, 3)


def test_paths_are_relative_to_the_file_that_says_them_wherever_people_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "common").mkdir()
    (tmp_path / "common" / "motd").write_text("hello")
    write(
        tmp_path / "common",
        "defaults:\n  driver: generic\n  options: {ssh-key: id}\n  files: [{source: motd, target: /etc/motd}]\n",
        "common.yaml",
    )
    write(tmp_path, "include: common/common.yaml\nfleet: x\ngroups: {a: {options: {ip-address: h}}}\n")
    monkeypatch.chdir(tmp_path)
    fleet = load_fleet("fleet.yaml")
    (machine,) = fleet.machines()
    assert machine.files[0].source == str(tmp_path / "common" / "motd")
    assert machine.options["ssh_key"] == str(tmp_path / "common" / "id")
    assert fleet.file == str(tmp_path / "fleet.yaml")
    assert str(machine.files[0].at) == "common/common.yaml:4:11"


def test_what_is_included_lies_below_the_later_above_the_earlier(tmp_path: Path) -> None:
    write(tmp_path, "defaults: {driver: nspawn, labels: {a: one, b: one, c: one}}\n", "one.yaml")
    write(tmp_path, "include: one.yaml\ndefaults: {labels: {b: two, c: two}}\ngroups: {db: }\n", "two.yaml")
    machines = by_name(
        tmp_path, "include: [one.yaml, two.yaml]\nfleet: x\ndefaults: {labels: {c: top}}\ngroups: {web: }\n"
    )
    assert machines["web-1"].labels == {"a": "one", "b": "two", "c": "top"}
    assert list(machines) == ["db-1", "web-1"]


def test_anchors_and_merge_keys_work_and_have_a_place(tmp_path: Path) -> None:
    machines = by_name(
        tmp_path,
        "x-web: &web {count: 1, labels: {a: b}, commands: ['echo $${HOME}']}\n"
        + LOCAL
        + "groups:\n  one: *web\n  two: {<<: *web, count: 2}\n",
    )
    assert list(machines) == ["one-1", "two-1", "two-2"]
    assert machines["two-2"].labels == {"a": "b"}
    assert {machine.commands[0].run for machine in machines.values()} == {"echo ${HOME}"}


def test_a_file_that_says_ten_thousand_machines_is_read_in_a_second_and_a_half(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("content")
    text = LOCAL + (
        "groups:\n  web:\n    count: 10000\n    options: {memory: 1g}\n    labels: {a: b}\n"
        "    files: [{source: file, target: /etc/file}]\n    commands: [ls]\n    machines: {web-7: {labels: {c: d}}}\n"
    )
    load(tmp_path, text)  # imports, and the drivers
    begun = time.process_time()
    fleet = load(tmp_path, text)
    assert time.process_time() - begun < 1.5
    assert sum(len(group.machines) for group in fleet.groups) == 10_000


def test_a_variable_of_the_command_line_that_the_file_does_not_have_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--var regoin: the file has no such variable; did you mean region"):
        load(tmp_path, "variables: {region: a}\nfleet: x\ngroups:\n", variables={"regoin": "b"})


def test_the_fleet_in_the_documentation_is_one(tmp_path: Path) -> None:
    page = (Path(__file__).parents[3] / "docs" / "fleet.md").read_text()
    text = page.partition("```yaml\n")[2].partition("```")[0]
    write(tmp_path, "defaults: {labels: {team: shop}}\n", "common.yaml")
    (tmp_path / "nginx.conf").write_text("events {}\n")
    fleet = load(tmp_path, text, {"PROXY_PASSWORD": "canary-4711"})
    names = [each.name for each in fleet.machines()]
    assert names == ["db-1", "web-01", "web-02", "web-03", "edge-1", "edge-2"]
    assert fleet.warnings == ()
    assert [len(each.commands) for each in fleet.groups[1].machines] == [2, 2, 3]


def test_every_key_of_a_fleet_file_is_in_the_documentation() -> None:
    page = (Path(__file__).parents[3] / "docs" / "fleet.md").read_text()
    schema = fleet_schema()
    sections = [
        schema,
        *(schema["$defs"][each] for each in ("defaults", "group", "machine", "limits", "file", "command")),
    ]
    keys = {key for section in sections for key in section["properties"] if not key.endswith("+")}
    assert not [key for key in keys if f"`{key}`" not in page and f"{key}:" not in page]
