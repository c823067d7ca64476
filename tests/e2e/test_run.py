"""A command on many hosts at once: labelled, in whole lines, with the worst exit code."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.command import Pymachine

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory, needs_root: None) -> Iterator[Pymachine]:
    command = Pymachine(tmp_path_factory.mktemp("store"))
    command("create", "-y", "-d", "nspawn", "-n", "2", "--label", "role=web", "web")
    yield command
    command("rm", "-f", "web-*", code=None)


def test_each_line_is_labelled_by_its_machine(two: Pymachine) -> None:
    said = two("run", "web-*", "--", "echo from $(hostname)").stdout.splitlines()
    assert sorted(said) == ["web-1 | from web-1", "web-2 | from web-2"]


def test_the_worst_exit_code_is_ours_and_the_others_have_run(two: Pymachine) -> None:
    done = two("run", "--label", "role=web", "--", "hostname; test $(hostname) = web-1 || exit 7", code=7)
    assert done.stdout.count("web-") == 4
    assert "web-2: exit code 7" in done.stderr


def test_a_command_keeps_its_quotes_and_runs_as_root_where_asked(two: Pymachine) -> None:
    said = two("run", "web-1", "--sudo", "--", "id -u; printf '%s\\n' 'a  b' \"c'd\"").stdout.splitlines()
    assert said == ["web-1 | 0", "web-1 | a  b", "web-1 | c'd"]


def test_output_as_json_has_every_machine_and_nothing_else_on_stdout(two: Pymachine) -> None:
    done = two("run", "web-1", "web-2", "-o", "json", "--", "echo out; echo err >&2; exit 3", code=3)
    documents = json.loads(done.stdout)
    assert [each["machine"] for each in documents] == ["web-1", "web-2"]
    assert {(each["exit_code"], each["stdout"], each["stderr"]) for each in documents} == {(3, "out\n", "err\n")}


def test_what_a_host_sends_does_not_steer_the_terminal(two: Pymachine) -> None:
    assert two("run", "web-1", "--", "printf 'a\\033[2Jb\\n'").stdout == "web-1 | a[2Jb\n"


def test_no_command_is_an_error_that_shows_how(two: Pymachine) -> None:
    assert "pymachine run NAME... -- COMMAND" in two("run", "web-1", "uptime", code=1).stderr


def test_the_same_is_copied_to_each_and_from_each_to_a_directory_of_its_own(two: Pymachine, tmp_path: Path) -> None:
    (tmp_path / "note").write_text("for all\n")
    said = two("scp", "--label", "role=web", str(tmp_path / "note"), ":/tmp/note").stdout.splitlines()
    assert sorted(said) == ["web-1: copied", "web-2: copied"]
    two("run", "web-*", "--", "hostname >> /tmp/note")
    two("scp", "--label", "role=web", ":/tmp/note", str(tmp_path / "logs"))
    got = {path.parent.name: path.read_text() for path in (tmp_path / "logs").glob("*/note")}
    assert got == {"web-1": "for all\nweb-1\n", "web-2": "for all\nweb-2\n"}


def test_a_copy_for_many_says_which_end_is_on_them(two: Pymachine, tmp_path: Path) -> None:
    refused = two("scp", "--label", "role=web", "a", "b", code=1).stderr
    assert "pymachine scp --group web nginx.conf :/etc/nginx/" in refused
