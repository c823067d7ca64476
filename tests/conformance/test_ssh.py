"""``ssh``: the operator's own ssh with the machine's key, the words that follow, and exit codes."""

from __future__ import annotations

from pathlib import Path

import pytest

from machine.model import Machine, State
from machine.store.store import Store
from tests.conformance.conftest import Fleet, Program
from tests.conformance.fake_programs import Programs


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Programs:
    made = Programs(tmp_path / "programs", monkeypatch)
    made.make("ssh")
    return made


@pytest.fixture
def default(store: Store) -> Machine:
    """The machine that is meant where none is named."""
    made = Fleet(store).add("default", driver="generic", address="192.0.2.7")
    store.files("default").write("known_hosts", b"default ssh-ed25519 AAAA\n")
    return made


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["default"],
        ["default", "uname", "-a"],
        ["default", "exit 7"],
        ["default", "-L", "8080:localhost:80", "-N"],
        ["default", "--", "ls", "-l", "--color"],
    ],
    ids=" ".join,
)
def test_what_follows_the_name_is_ssh_s(
    program: Program, programs: Programs, default: Machine, words: list[str]
) -> None:
    assert program.process("ssh", *words).code == 0
    called = programs.called("ssh")
    place = called.index("root@192.0.2.7")
    assert called[place + 1 :] == words[1:]


def test_the_machine_s_key_and_its_pinned_host_key_are_used(
    program: Program, programs: Programs, default: Machine, store: Store
) -> None:
    program.process("ssh", "default")
    called = " ".join(programs.called("ssh"))
    files = store.files("default")
    for part in (f"-i {files.path('id_ed25519')}", "-p 22", "StrictHostKeyChecking=yes", files.path("known_hosts")):
        assert part in called


@pytest.mark.parametrize("code", [1, 7, 255])
def test_the_exit_code_is_the_remote_command_s(
    program: Program, programs: Programs, default: Machine, code: int
) -> None:
    programs.make("ssh", code)
    assert program.process("ssh", "default", f"exit {code}").code == code


def test_a_stopped_machine_is_an_error(program: Program, programs: Programs, fleet: Fleet) -> None:
    fleet.add("off", State.STOPPED, driver="generic")
    said = program("ssh", "off")
    words = 'Host "off" is not running'
    both = {"docker-machine": f"Error: Cannot run SSH command: {words}", "pymachine": f"Error: {words}"}
    assert (said.code, said.out) == (1, "")
    assert said.err.splitlines()[0] == program.expects(both)
    assert not (programs.directory / "ssh.called").exists()


def test_an_endpoint_without_a_host_is_an_error(program: Program, programs: Programs, fleet: Fleet) -> None:
    fleet.add("far", driver="none", route="plain", port=2375)
    assert program("ssh", "far").code == 1
    assert not (programs.directory / "ssh.called").exists()


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_alone_is_ours(program: Program, programs: Programs, default: Machine, flag: str) -> None:
    said = program("ssh", flag)
    assert said.code == 0
    assert f"Usage: {program.name} ssh" in said.out


def test_without_a_program_of_that_name_it_says_what_is_missing(
    program: Program, default: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    said = program("ssh", "default")
    assert said.code == program.expects({"docker-machine": 1, "pymachine": 3})  # docker-machine's 3 is create's alone
    assert "there is no ssh on the PATH" in said.err
