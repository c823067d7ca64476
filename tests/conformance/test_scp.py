"""``scp``: which program is called, with which words, and what it is told of each machine."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from machine.model import Machine, State
from machine.operations.copying import Place, parse_place
from machine.store.store import Store
from tests.conformance.conftest import Fleet, Program
from tests.conformance.fake_programs import Programs


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Programs:
    made = Programs(tmp_path / "programs", monkeypatch)
    made.make("scp")
    made.make("rsync")
    return made


def pinned(store: Store, machine: Machine) -> None:
    store.files(machine.name).write("known_hosts", f"{machine.name} ssh-ed25519 AAAA\n".encode())


@pytest.fixture
def web(fleet: Fleet, store: Store) -> Machine:
    made = fleet.add("web", driver="generic", address="192.0.2.7")
    pinned(store, made)
    return made


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("web:/tmp/a", Place("/tmp/a", "web")),
        ("web:", Place("", "web")),
        ("ada@web:a b", Place("a b", "web", "ada")),
        ("web:a:b", Place("a:b", "web")),
        ("localhost:/tmp/a", Place("/tmp/a")),
        ("localhost:a:b", Place("a:b")),
        ("/tmp/a:b", Place("/tmp/a:b")),
        ("./a:b", Place("./a:b")),
        ("a", Place("a")),
        (".", Place(".")),
    ],
)
def test_what_a_place_means(text: str, place: Place) -> None:
    assert parse_place(text) == place


@pytest.mark.parametrize(
    ("words", "called"),
    [
        (["f", "web:/tmp/f"], ["--", "f", "192.0.2.7:/tmp/f"]),
        (["web:/tmp/f", "localhost:g"], ["--", "192.0.2.7:/tmp/f", "g"]),
        (["-r", "d", "web:"], ["-r", "--", "d", "192.0.2.7:"]),
        (["-q", "f", "ada@web:f"], ["-q", "--", "f", "ada@192.0.2.7:f"]),
        (["f", "web:f", "-r", "--quiet"], ["-q", "-r", "--", "f", "192.0.2.7:f"]),
        (["localhost:a:b", "WEB:f"], ["--", "./a:b", "192.0.2.7:f"]),
    ],
    ids=lambda words: " ".join(words),
)
def test_scp_is_called(program: Program, programs: Programs, web: Machine, words: list[str], called: list[str]) -> None:
    assert program("scp", *words).code == 0
    said = programs.called("scp")
    assert said[0] == "-F"
    assert said[2:] == called


@pytest.mark.parametrize(("flags", "more"), [([], ["--progress"]), (["-q"], []), (["-r"], ["--progress", "-r"])])
def test_delta_is_rsync(program: Program, programs: Programs, web: Machine, flags: list[str], more: list[str]) -> None:
    assert program("scp", "--delta", *flags, "f", "web:f").code == 0
    said = programs.called("rsync")
    assert said[0] == "-e"
    assert said[1].startswith("ssh -F ")
    assert said[2:] == [*more, "--", "f", "192.0.2.7:f"]


def test_each_of_two_machines_has_its_own_key_port_and_host_key(
    program: Program, programs: Programs, web: Machine, fleet: Fleet, store: Store
) -> None:
    other = fleet.add("db", driver="generic", address="192.0.2.8")
    pinned(store, other)
    assert program("scp", "web:f", "db:f").code == 0
    assert programs.called("scp")[2:] == ["-3", "--", "192.0.2.7:f", "192.0.2.8:f"]
    (programs.directory / "config").write_text(programs.config("scp"))
    for name, address in (("web", "192.0.2.7"), ("db", "192.0.2.8")):
        line = ["ssh", "-G", "-F", str(programs.directory / "config"), address]
        meant = subprocess.run(line, capture_output=True, text=True, check=True).stdout.splitlines()
        files = store.files(name)
        for wanted in (
            "stricthostkeychecking true",
            f"userknownhostsfile {files.path('known_hosts')}",
            f"identityfile {files.path('id_ed25519')}",
            f"hostkeyalias {name}",
            "user root",
            "port 22",
        ):
            assert wanted in meant


def test_two_machines_of_one_address_are_told_apart(
    program: Program, programs: Programs, web: Machine, fleet: Fleet, store: Store
) -> None:
    pinned(store, fleet.add("twin", driver="generic", address="192.0.2.7"))
    assert program("scp", "web:f", "twin:f").code == 0
    assert programs.called("scp")[2:] == ["-3", "--", "web:f", "twin:f"]
    assert programs.config("scp").count("HostName 192.0.2.7") == 2


def test_an_ipv6_address_has_brackets(program: Program, programs: Programs, fleet: Fleet, store: Store) -> None:
    pinned(store, fleet.add("six", driver="generic", address="2001:db8::7"))
    assert program("scp", "f", "six:f").code == 0
    assert programs.called("scp")[-1] == "[2001:db8::7]:f"


def test_the_exit_code_is_passed_on_and_the_configuration_goes(
    program: Program, programs: Programs, web: Machine
) -> None:
    programs.make("scp", 7)
    assert program("scp", "f", "web:f").code == 7
    assert not Path(programs.called("scp")[1]).exists()


@pytest.mark.parametrize("words", [[], ["a"], ["a", "b", "c"]])
def test_it_takes_two_places(program: Program, words: list[str]) -> None:
    said = program("scp", *words)
    assert said.code == 1
    assert "Improper number of arguments" in said.err


@pytest.mark.parametrize(("words", "missing"), [(["f", "web:f"], "scp"), (["-d", "f", "web:f"], "rsync")])
def test_a_program_that_is_not_there_is_named(
    program: Program, web: Machine, monkeypatch: pytest.MonkeyPatch, words: list[str], missing: str
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    said = program("scp", *words)
    assert said.code == 1
    assert f"You must have a copy of the {missing} binary locally to use the scp feature" in said.err


def test_rsync_between_two_machines_is_refused(program: Program, programs: Programs, web: Machine) -> None:
    said = program("scp", "-d", "web:a", "web:b")
    assert said.code == 1
    assert "rsync cannot copy between two machines" in said.err


def test_a_stopped_or_unknown_machine_is_said_to_be_that(program: Program, programs: Programs, fleet: Fleet) -> None:
    fleet.add("off", State.STOPPED, driver="generic")
    said = program("scp", "f", "off:f")
    assert (said.code, 'Host "off" is not running' in said.err) == (1, True)
    said = program("scp", "f", "nobody:f")
    assert (said.code, "nobody" in said.err) == (1, True)
    assert not (programs.directory / "scp.called").exists()
