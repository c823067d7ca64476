"""``env``: every shell's lines to the letter, what is unset, the proxy's exception, and the dial under each name."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from machine.model import State
from machine.store.store import Store
from tests.conformance.conftest import Fleet, Program

URL = "tcp://192.0.2.1:2376"
POSIX = ('export {}="{}"', "unset {}", "#", "eval $({})")
# set, unset, comment, how to evaluate it: docs of docker-machine's commands/env.go
SHELLS = {
    "bash": POSIX,
    "zsh": POSIX,
    "sh": POSIX,
    "fish": ('set -gx {} "{}";', "set -e {};", "#", "eval ({})"),
    "powershell": ('$Env:{} = "{}"', "Remove-Item Env:\\\\{}", "#", "& {} | Invoke-Expression"),
    "cmd": ("SET {}={}", "SET {}=", "REM", "\t@FOR /f \"tokens=*\" %i IN ('{}') DO @%i"),
    "tcsh": ('setenv {} "{}";', "unsetenv {};", ":", "eval `{}`"),
    "emacs": (
        '(setenv "{}" "{}")',
        '(setenv "{}" nil)',
        ";;",
        '(with-temp-buffer (shell-command "{}" (current-buffer)) (eval-buffer))',
    ),
}
NAMES = ["DOCKER_TLS_VERIFY", "DOCKER_HOST", "DOCKER_CERT_PATH", "DOCKER_MACHINE_NAME"]


@pytest.fixture(autouse=True)
def bash(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the user's shell is where a test says nothing else."""
    monkeypatch.setenv("SHELL", "/bin/bash")


def printed(program: Program, store: Store, shell: str, pairs: list[tuple[str, str]], *argv: str) -> str:
    """The lines of a shell, and how this very command line is evaluated."""
    form, _, comment, how = SHELLS[shell]
    words = " ".join([str(program.path), "-s", store.directory, *argv])
    hint = f"{comment} Run this command to configure your shell: \n{comment} {how.format(words)}"
    return "\n".join([*(form.format(*pair) for pair in pairs), hint]) + "\n"


def pairs(store: Store, name: str) -> list[tuple[str, str]]:
    return list(zip(NAMES, ["1", URL, store.files(name).directory, name], strict=True))


@pytest.fixture
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The command is not found on the PATH: the hint has its whole path, as it was typed."""
    monkeypatch.setenv("PATH", str(tmp_path))


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.usefixtures("nowhere")
def test_the_lines_of_a_shell(program: Program, fleet: Fleet, store: Store, shell: str) -> None:
    fleet.add("h1")
    said = program("env", "--shell", shell, "h1")
    assert (said.code, said.err) == (0, "")
    assert said.out == printed(program, store, shell, pairs(store, "h1"), "env", "--shell", shell, "h1")


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.usefixtures("nowhere")
def test_the_lines_that_unset(program: Program, store: Store, shell: str) -> None:
    said = program("env", "--shell", shell, "-u")
    _, unset, comment, how = SHELLS[shell]
    words = " ".join([str(program.path), "-s", store.directory, "env", "--shell", shell, "-u"])
    hint = [f"{comment} Run this command to configure your shell: ", f"{comment} {how.format(words)}"]
    assert (said.code, said.err) == (0, "")
    assert said.out.splitlines() == [*(unset.format(name) for name in NAMES), *hint]


@pytest.mark.parametrize("path", ["/bin/bash", "/usr/bin/zsh", "/usr/bin/fish", "/bin/tcsh", "/usr/local/bin/fish"])
def test_the_shell_is_the_user_s(program: Program, fleet: Fleet, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    fleet.add("h1")
    monkeypatch.setenv("SHELL", path)
    form = SHELLS[Path(path).name][0]
    assert program("env", "h1").out.splitlines()[0] == form.format("DOCKER_TLS_VERIFY", "1")


@pytest.mark.parametrize("words", [["h1"], ["-u"]], ids=" ".join)
def test_without_a_shell_nothing_is_printed_where_eval_would_run_it(
    program: Program, fleet: Fleet, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    fleet.add("h1")
    monkeypatch.delenv("SHELL")
    said = program("env", *words)
    assert (said.code, said.out) == (1, "")
    first = {"docker-machine": "Error: Unknown shell", "pymachine": "Error: cannot tell your shell"}
    assert said.err.splitlines()[0] == program.expects(first)
    assert "$SHELL is not set" in said.err


def test_a_mistyped_shell_gets_the_nearest(program: Program, fleet: Fleet) -> None:
    fleet.add("h1")
    said = program("env", "--shell", "bsh", "h1")
    assert (said.code, said.out) == (1, "")
    assert "did you mean bash?" in said.err


@pytest.mark.parametrize("how", ["flag", "variable"])
def test_any_other_shell_is_a_posix_shell_under_docker_machines_name(
    program: Program, fleet: Fleet, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    fleet.add("h1")
    words = ["--shell", "nonsense"] if how == "flag" else []
    if how == "variable":
        monkeypatch.setenv("SHELL", "/opt/nonsense")
    said = program("env", *words, "h1")
    if program.drop_in:
        assert (said.code, said.out.splitlines()[0]) == (0, 'export DOCKER_TLS_VERIFY="1"')
    else:
        assert (said.code, said.out) == (1, "")
        assert "unknown shell 'nonsense'" in said.err


def test_a_name_has_no_place_beside_unset(program: Program, fleet: Fleet) -> None:
    fleet.add("h1")
    said = program("env", "-u", "h1")
    assert (said.code, said.out) == (1, "")
    assert said.err.splitlines()[0] == "Error: Expected no machine name when the -u flag is present"


def test_two_names_are_refused(program: Program, fleet: Fleet) -> None:
    fleet.add("h1")
    said = program("env", "h1", "h2")
    assert (said.code, said.out) == (1, "")
    assert said.err.splitlines()[0] == "Error: Expected one machine name as an argument"


@pytest.mark.parametrize(
    ("environ", "line"),
    [
        ({}, 'export NO_PROXY="192.0.2.1"'),
        ({"NO_PROXY": "example.org"}, 'export NO_PROXY="example.org,192.0.2.1"'),
        ({"no_proxy": "example.org"}, 'export no_proxy="example.org,192.0.2.1"'),
        ({"no_proxy": "a.example", "NO_PROXY": "b.example"}, 'export no_proxy="a.example,192.0.2.1"'),
        ({"no_proxy": "", "NO_PROXY": "b.example"}, 'export NO_PROXY="b.example,192.0.2.1"'),
        ({"NO_PROXY": "a.example,192.0.2.1,b.example"}, 'export NO_PROXY="a.example,192.0.2.1,b.example"'),
    ],
)
def test_the_address_is_no_matter_of_the_proxy_s(
    program: Program, fleet: Fleet, monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], line: str
) -> None:
    fleet.add("h1")
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    said = program("env", "--no-proxy", "h1")
    assert (said.code, said.out.splitlines()[4]) == (0, line)


@pytest.mark.parametrize(
    ("environ", "name"), [({}, "NO_PROXY"), ({"NO_PROXY": "x"}, "NO_PROXY"), ({"no_proxy": "x"}, "no_proxy")]
)
def test_unset_takes_the_same_variable_away(
    program: Program, monkeypatch: pytest.MonkeyPatch, environ: dict[str, str], name: str
) -> None:
    for key, value in environ.items():
        monkeypatch.setenv(key, value)
    assert program("env", "-u", "--no-proxy").out.splitlines()[4] == f"unset {name}"


def test_the_driver_none_gives_its_address_without_its_port(program: Program, fleet: Fleet) -> None:
    fleet.add("h1", driver="none", route="plain", port=2375)
    assert 'export NO_PROXY="192.0.2.1"' in program("env", "--no-proxy", "h1").out


def test_without_a_name_it_is_the_machine_default(program: Program, fleet: Fleet) -> None:
    said = program("env")
    assert (said.code, said.out) == (1, "")
    first = {
        "docker-machine": 'Error: No machine name(s) specified and no "default" machine exists',
        "pymachine": 'Error: no machine name given, and there is no machine "default"',
    }
    assert said.err.splitlines()[0] == program.expects(first)
    fleet.add("default")
    assert 'export DOCKER_MACHINE_NAME="default"' in program("env").out


def test_docker_machine_dials_first_and_pymachine_answers_at_once(program: Program, fleet: Fleet) -> None:
    fleet.add("h1", driver="generic")
    program("env", "h1")
    assert bool(fleet.asked) == program.drop_in
    fleet.asked.clear()
    program("env", "--check", "h1")
    assert fleet.asked


@pytest.mark.parametrize("words", [[], ["--check"]], ids=" ".join)
def test_an_endpoint_that_does_not_answer(program: Program, fleet: Fleet, words: list[str]) -> None:
    fleet.add("h1", engine=None)
    said = program("env", *words, "h1")
    if not (program.drop_in or words):
        assert said.code == 0
        return
    assert (said.code, said.out) == (1, "")
    assert "Error checking TLS connection: " in said.err.splitlines()[0]


@pytest.mark.parametrize("how", ["recorded", "seen"])
def test_a_stopped_machine(program: Program, fleet: Fleet, how: str) -> None:
    if how == "recorded":
        fleet.add("h1", State.STOPPED)
    else:
        fleet.add("h1", says=State.STOPPED, engine=None)
    said = program("env", "h1")
    if program.drop_in:
        assert (said.code, said.out) == (1, "")
        assert said.err.splitlines()[0] == "Error checking TLS connection: Host is not running"
    else:
        assert said.code == (1 if how == "recorded" else 0)


@pytest.mark.parametrize("shell", ["bash", "zsh", "dash"])
def test_the_hint_is_right_also_where_the_store_s_path_has_a_space(
    program: Program, tmp_path: Path, shell: str
) -> None:
    place = tmp_path / "Ada's store"
    create = ["create", "-d", "none", "--url", "tcp://192.0.2.9:2375", "h1"]
    subprocess.run([str(program.path), "-s", str(place), *create], check=True, capture_output=True)
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "SHELL": f"/bin/{shell}"}
    words = ["env", "-u"] if program.drop_in else ["env", "h1"]  # docker-machine dials, and nobody is there
    line = [str(program.path), "-s", str(place), *words]
    hint = subprocess.run(line, check=True, capture_output=True, text=True, env=environ).stdout.splitlines()[-1]
    script = f'DOCKER_HOST=before; {hint.removeprefix("# ")}; echo "<$DOCKER_HOST>"'
    done = subprocess.run([shell, "-c", script], check=True, capture_output=True, text=True, env=environ)
    after = program.expects({"docker-machine": "", "pymachine": "tcp://192.0.2.9:2375"})
    assert (done.stdout, done.stderr) == (f"<{after}>\n", "")
