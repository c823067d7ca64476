"""``pymachine fleet init``, ``schema`` and ``validate``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from machine.cli import command_line as run
from machine.cli.fleet import COMMANDS
from machine.fleet.document import load_fleet
from machine.fleet.examples import FILE, examples

NAMES = [each.name for each in examples()]


def test_the_examples_are_for_this_computer_for_given_hosts_and_for_a_cloud() -> None:
    assert NAMES == ["aws", "hosts", "local"]


@pytest.mark.parametrize("name", NAMES)
def test_every_example_is_written_with_its_files_and_can_be_meant(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    path = str(tmp_path / "new" / FILE)
    assert run(["fleet", "init", "--example", name, path]) == 0
    assert f"{path} is written" in capsys.readouterr().out
    fleet = load_fleet(path, {})
    assert fleet.warnings == ()
    assert len(list(fleet.machines())) > 1
    assert run(["fleet", "validate", path]) == 0
    said = capsys.readouterr()
    assert said.out == (
        f"{path} is a fleet: example, {len(fleet.groups)} group{'s' if len(fleet.groups) > 1 else ''}, "
        f"{len(list(fleet.machines()))} machines.\n"
    )
    assert said.err == ""


def test_the_local_example_has_a_dependency_files_commands_and_an_override(tmp_path: Path) -> None:
    assert run(["fleet", "init", str(tmp_path / FILE)]) == 0
    db, web = load_fleet(str(tmp_path / FILE), {}).groups
    assert web.depends == (db.name,)
    assert {each.driver for group in (db, web) for each in group.machines} == {"nspawn"}
    assert all(machine.files and machine.commands for machine in web.machines)
    assert web.machines[0].options != web.machines[1].options


@pytest.mark.parametrize("there", [FILE, "greeting.service"])
def test_init_overwrites_nothing_and_leaves_no_half_of_an_example(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], there: str
) -> None:
    (tmp_path / there).write_text("mine")
    assert run(["fleet", "init", str(tmp_path / FILE)]) == 1
    assert f"{tmp_path / there} exists, and nothing was written" in capsys.readouterr().err
    assert [each.name for each in tmp_path.iterdir() if each.name != "home"] == [there]
    assert (tmp_path / there).read_text() == "mine"


def test_init_says_which_examples_there_are(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["fleet", "init", "--list", str(tmp_path / FILE)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == NAMES
    assert not (tmp_path / FILE).exists()
    assert run(["fleet", "init", "--example", "lokal", str(tmp_path / FILE)]) == 1
    assert "did you mean local?" in capsys.readouterr().err


def test_the_schema_is_printed_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["fleet", "schema"]) == 0
    assert json.loads(capsys.readouterr().out)["properties"]["groups"]["title"] == "groups"


def test_validate_says_every_error_with_its_place_and_warns(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / FILE
    path.write_text("fleet: x\ngroups:\n  web: {driver: nspawn, cuont: 1, count: -1}\n")
    assert run(["fleet", "validate", str(path)]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("Error: 2 errors:\n")
    assert f"\n  {path}:3:25: " in said.err
    assert f"\n  {path}:3:42: " in said.err
    path.write_text(
        "variables: {n: {}}\nfleet: x\ngroups: {web: {driver: nspawn, count: '${n}', labels: {token: abc}}}\n"
    )
    assert run(["fleet", "validate", "--var", "n=3", str(path)]) == 0
    said = capsys.readouterr()
    assert "1 group, 3 machines" in said.out
    assert said.err.startswith(f"Warning: {path}:3:")
    assert run(["fleet", "validate", "--var", "n", str(path)]) == 1
    assert "'n' is not NAME=VALUE" in capsys.readouterr().err


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_for_fleets_has_a_help_that_names_it(capsys: pytest.CaptureFixture[str], command: str) -> None:
    assert run(["fleet", command, "--help"]) == 0
    out = capsys.readouterr().out
    assert out.startswith(f"Usage: pymachine fleet {command} ")


def test_a_mistyped_command_for_fleets_gets_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["fleet", "valdiate"]) == 1
    assert "Did you mean validate?" in capsys.readouterr().err
