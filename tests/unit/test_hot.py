"""The hot path: what it imports, and that it says what the rest of pymachine would say."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from textwrap import dedent

import pytest

from machine import hot
from machine.cli import command_line as run
from machine.model import State
from machine.store.store import Store
from tests.unit.processes import python, python_after
from tests.unit.specs import add_machine, spec

READ_ONLY = 'mount --bind "$1" "$1"; mount -o remount,bind,ro "$1"'
# Each of these costs more than the answer.
FORBIDDEN = (
    "click",
    "dataclasses",
    "json",
    "re",
    "platformdirs",
    "paramiko",
    "typing",
    "enum",
    "subprocess",
    "pathlib",
)

HOT = [
    ["env", "--shell", "bash", "web"],
    ["env", "WEB"],
    ["env"],
    ["env", "--shell=fish", "--no-proxy", "six"],
    ["env", "-u"],
    ["env", "--unset", "--no-proxy"],
    ["ip", "web"],
    ["ip", "six", "web"],
    ["ip"],
    ["url", "web"],
    ["url", "six", "WEB"],
    ["url"],
    ["ls", "-q"],
    ["ls", "--quiet"],
    ["ls", "--recorded"],
    ["status", "--recorded", "web"],
    ["status", "web", "--recorded"],
    ["status", "--recorded"],
    ["active"],
]
COLD = [
    [],
    ["--help"],
    ["ls"],
    ["ls", "-o", "json"],
    ["ls", "--recorded", "-q"],
    ["status", "web"],
    ["status", "--recorded", "web", "six"],
    ["env", "nobody"],
    ["env", "stopped"],
    ["env", "new"],
    ["env", "--shell", "nosh", "web"],
    ["env", "--shell"],
    ["env", "-x", "web"],
    ["env", "web", "six"],
    ["env", "-u", "web"],
    ["env", "--help"],
    ["ip", "nobody"],
    ["ip", "new"],
    ["ip", "web", "nobody"],
    ["ip", "-x"],
    ["url", "stopped"],
    ["url", "new"],
    ["active", "web"],
    ["-v"],
    ["create", "x"],
    ["nonsense"],
]


@pytest.fixture(scope="module")
def once_filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A store with machines in all conditions."""
    store = Store(str(tmp_path_factory.mktemp("hot") / "store"))
    add_machine(store, "web")
    add_machine(store, "six", address="2001:db8::7", url="tcp://[2001:db8::7]:2376")
    add_machine(store, "default", address="192.0.2.8", url="tcp://192.0.2.8:2376")
    add_machine(store, "stopped", state=State.STOPPED, url="tcp://192.0.2.9:2376")
    add_machine(store, "web10", url="tcp://192.0.2.10:2376")
    add_machine(store, "web9", url="tcp://192.0.2.10:2376")
    store.journal.begin_create(spec("new"))
    yield store
    store.close()


@pytest.fixture
def filled(once_filled: Store, monkeypatch: pytest.MonkeyPatch) -> Store:
    """The same; the environment points at it, and at the machine web. Nothing may change it."""
    monkeypatch.setenv("PYMACHINE_HOME", once_filled.directory)
    monkeypatch.setenv("DOCKER_HOST", "tcp://192.0.2.7:2376")
    monkeypatch.setenv("SHELL", "/bin/bash")
    return once_filled


def answered(*argv: str) -> str | None:
    return hot.answer(list(argv), os.environ)


@pytest.mark.parametrize("argv", HOT, ids=" ".join)
def test_the_hot_path_says_what_the_rest_of_pymachine_would_say(
    filled: Store, argv: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["pymachine", *argv])
    said = answered(*argv)
    assert said is not None
    assert run(argv) == 0
    assert said == capsys.readouterr().out


@pytest.mark.parametrize("argv", COLD, ids=" ".join)
def test_whatever_cannot_be_answered_in_a_line_is_left_to_the_rest(filled: Store, argv: list[str]) -> None:
    assert answered(*argv) is None


def test_without_a_store_nothing_is_answered_and_nothing_made(
    tmp_path: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = f"{tmp_path}/nowhere"
    for argv in HOT:
        if argv[0] != "env" or not {"-u", "--unset"} & set(argv):
            assert answered("-s", place, *argv) is None
    assert not os.path.exists(place)


@pytest.mark.parametrize("before", [["-s", "{}"], ["--storage-path", "{}"], ["--storage-path={}"]])
def test_the_store_may_be_named_before_the_command(
    filled: Store, monkeypatch: pytest.MonkeyPatch, before: list[str]
) -> None:
    monkeypatch.delenv("PYMACHINE_HOME")
    assert answered("ip", "web") is None
    assert answered(*[word.format(filled.directory) for word in before], "ip", "web") == "192.0.2.7\n"


def test_an_ipv6_machine_has_a_bracketed_url_and_a_plain_address(filled: Store) -> None:
    assert answered("ip", "six") == "2001:db8::7\n"
    assert answered("url", "six") == "tcp://[2001:db8::7]:2376\n"
    assert 'export DOCKER_HOST="tcp://[2001:db8::7]:2376"' in str(answered("env", "six"))


def test_names_are_listed_in_the_order_of_their_bytes(filled: Store) -> None:
    assert answered("ls", "-q") == "default\nnew\nsix\nstopped\nweb\nweb10\nweb9\n"


@pytest.mark.parametrize("argv", [["ls", "--recorded"], ["status", "--recorded", "web"]], ids=" ".join)
def test_docker_machines_words_are_left_to_the_rest(
    filled: Store, argv: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["/usr/local/bin/docker-machine", *argv])
    assert answered("-s", filled.directory, *argv) is None


def test_the_active_machine_is_the_one_that_docker_host_points_at(
    filled: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert answered("active") == "web\n"
    monkeypatch.setenv("DOCKER_HOST", "tcp://192.0.2.10:2376")
    monkeypatch.setenv("DOCKER_MACHINE_NAME", "web10")
    assert answered("active") == "web10\n"
    monkeypatch.setenv("DOCKER_HOST", "tcp://192.0.2.99:2376")
    assert answered("active") is None
    monkeypatch.delenv("DOCKER_HOST")
    assert answered("active") is None


def test_a_store_of_another_version_is_left_to_the_rest(store: Store) -> None:
    add_machine(store)
    assert answered("-s", store.directory, "ip", "web") == "192.0.2.7\n"
    with store.database.write() as db:
        db.execute("PRAGMA user_version=99")
    assert answered("-s", store.directory, "ip", "web") is None


def imported(*argv: str) -> set[str]:
    """The modules that an answer imports, in a Python that has not imported any itself."""
    code = """
        import sys
        sys.argv[0] = "pymachine"
        before = {name.partition(".")[0] for name in sys.modules}
        from machine import hot
        code = hot.main()
        print("\\n", code, *{name.partition(".")[0] for name in sys.modules} - before)
        """
    paths = f"import sys; sys.path[:0] = {sys.path!r}\n"
    line = [sys.executable, "-S", "-c", paths + dedent(code), *argv]
    done = subprocess.run(line, capture_output=True, text=True, check=True)
    exit_code, *modules = done.stdout.splitlines()[-1].split()
    assert exit_code == "0"
    return set(modules)


@pytest.mark.parametrize("argv", HOT, ids=" ".join)
def test_answering_imports_nothing_that_takes_time(filled: Store, argv: list[str]) -> None:
    assert not imported(*argv) & set(FORBIDDEN)


def test_completing_imports_nothing_that_takes_time(filled: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_PYMACHINE_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", "pymachine env w")
    monkeypatch.setenv("COMP_CWORD", "2")
    assert not imported() & set(FORBIDDEN)


def test_the_modules_of_an_answer_are_seen_at_all(filled: Store) -> None:
    assert {"click", "typing", "re"} <= imported("--help")


def test_a_read_only_store_is_answered_from(filled: Store) -> None:
    code = "import os, sys; from machine import hot; print(hot.answer(['-s', sys.argv[1], 'ip', 'six'], os.environ))"
    assert python_after(READ_ONLY, code, filled.directory).stdout == "2001:db8::7\n\n"


def test_an_answer_that_nobody_reads_is_no_error(filled: Store) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    line = [sys.executable, "-m", "machine.cli", "ls", "--recorded"]
    done = subprocess.run(line, stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, "")


def complete(style: str, words: str, position: str) -> str | None:
    return hot.answer([], {"_PYMACHINE_COMPLETE": style, "COMP_WORDS": words, "COMP_CWORD": position, **os.environ})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("words", "position", "names"),
    [
        ("pymachine env w", "2", ["web", "web9", "web10"]),
        ("pymachine env", "2", ["default", "new", "six", "stopped", "web", "web9", "web10"]),
        ("pymachine\nrm\nweb\ns", "3", ["six", "stopped"]),  # bash joins the words with newlines
        ("pymachine rm -f web1", "3", ["web10"]),
        ("pymachine -s {} ip si", "4", ["six"]),
        ("pymachine start zzz", "2", []),
    ],
)
def test_names_complete_in_clicks_formats(filled: Store, words: str, position: str, names: list[str]) -> None:
    words = words.format(filled.directory)
    assert complete("bash_complete", words, position) == "".join(f"plain,{name}\n" for name in names)
    assert complete("zsh_complete", words, position) == "".join(f"plain\n{name}\n_\n" for name in names)
    parts = words.split()
    word = parts[int(position)] if len(parts) > int(position) else ""
    assert complete("fish_complete", words, word) == "".join(f"plain,{name}\n" for name in names)


@pytest.mark.parametrize(
    ("words", "position"),
    [
        ("pymachine e", "1"),
        ("pymachine", "1"),
        ("pymachine create w", "2"),
        ("pymachine ls w", "2"),
        ("pymachine env -", "2"),
        ("pymachine env --shell f", "3"),
        ("pymachine env w", "x"),
    ],
)
def test_what_is_no_name_is_clicks_to_complete(filled: Store, words: str, position: str) -> None:
    assert complete("bash_complete", words, position) is None


def test_names_complete_in_a_real_bash(filled: Store, tmp_path: object) -> None:
    script = f"{tmp_path}/pymachine"
    with open(script, "w") as file:
        file.write(f'#!/bin/sh\nexec "{sys.executable}" -m machine.cli "$@"\n')
    os.chmod(script, 0o755)
    line = f"""
        PATH={tmp_path}:$PATH
        eval "$(_PYMACHINE_COMPLETE=bash_source pymachine)"
        COMP_WORDS=(pymachine env w) COMP_CWORD=2
        _pymachine_completion pymachine w env
        printf '%s\\n' "${{COMPREPLY[@]}}"
        """
    done = subprocess.run(["bash", "--norc", "-c", line], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["web", "web9", "web10"]


def test_the_command_of_the_package_is_the_hot_path(filled: Store) -> None:
    code = """
        from importlib.metadata import distribution
        (point,) = [p for p in distribution("pymachine-cli").entry_points if p.group == "console_scripts"]
        print(point.name, point.value)
        """
    assert python(code).stdout == "pymachine machine.hot:main\n"
