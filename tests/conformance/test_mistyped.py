"""Every mistyped word gets one line with the nearest valid choice, exit 1, and nothing is changed."""

from __future__ import annotations

import pytest

from machine.store.store import Store
from tests.conformance.conftest import Fleet, Program

COMMANDS = {"craete": "create", "inspct": "inspect", "regenerate-cert": "regenerate-certs", "strat": "start",
            "stauts": "status", "upgade": "upgrade", "provison": "provision", "lss": "ls"}  # fmt: skip
FLAGS = {
    "config --swram": "--swarm",
    "create --drver x": "--driver",
    "create --engine-lable a=b": "--engine-label",
    "env --no-prxy": "--no-proxy",
    "env --shel bash": "--shell",
    "env --unst": "--unset",
    "inspect --fromat x": "--format",
    "ls --filtr a=b": "--filter",
    "ls --quite": "--quiet",
    "mount --unmont a b": "--unmount",
    "regenerate-certs --client-cert": "--client-certs",
    "rm --froce a": "--force",
    "scp --recursiv a b": "--recursive",
    "status --timout 3": "--timeout",
}
KNOWN = "active config env inspect ip kill ls provision restart rm ssh start status stop upgrade url"
GLOBALS = {"--storage-paht": "--storage-path", "--debg": "--debug", "--natve-ssh": "--native-ssh"}


def refused(program: Program, *words: str) -> str:
    """The first line of an error, once it is one."""
    said = program(*words)
    assert (said.code, said.out) == (1, "")
    assert said.err.count("Error: ") == 1
    assert "Traceback" not in said.err
    return said.err.splitlines()[0]


@pytest.mark.parametrize("word", COMMANDS)
def test_a_command(program: Program, fleet: Fleet, word: str) -> None:
    line = refused(program, word)
    assert f"No such command '{word}'" in line
    assert f"Did you mean {COMMANDS[word]}?" in line


@pytest.mark.parametrize("line", FLAGS)
def test_a_flag(program: Program, fleet: Fleet, store: Store, line: str) -> None:
    assert FLAGS[line] in refused(program, *line.split())
    assert store.machines.names() == []


@pytest.mark.parametrize("flag", GLOBALS)
def test_a_flag_before_the_command(program: Program, fleet: Fleet, flag: str) -> None:
    assert GLOBALS[flag] in refused(program, flag, "ls")


@pytest.mark.parametrize("command", KNOWN.split())
def test_a_flag_that_is_like_none_names_the_help(program: Program, fleet: Fleet, command: str) -> None:
    said = program(command, "--xyzzy")
    assert (said.code, said.out) == (1, "")
    if command == "ssh":  # what it does not know is ssh's
        assert "--xyzzy" in said.err
        return
    assert "No such option" in said.err
    assert f"{program.name} {command} --help" in said.err


def test_a_word_that_is_like_no_command_names_the_help(program: Program, fleet: Fleet) -> None:
    said = program("xyzzy")
    assert (said.code, said.out) == (1, "")
    assert f"{program.name} --help" in said.err


def test_nothing_at_all_shows_the_help(program: Program, fleet: Fleet) -> None:
    said = program()
    assert said.code == 0
    assert said.out.startswith(f"Usage: {program.name} ")
