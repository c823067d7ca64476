"""``env``: to the letter as docker-machine prints it, and what real shells make of it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from machine.shell import env

PAIRS = env.variables("dev", "tcp://192.0.2.7:2376", "/home/me/machines/dev")

# commands/env.go of docker-machine; mind the space after "shell:".
PRINTED = {
    "bash": """\
export DOCKER_TLS_VERIFY="1"
export DOCKER_HOST="tcp://192.0.2.7:2376"
export DOCKER_CERT_PATH="/home/me/machines/dev"
export DOCKER_MACHINE_NAME="dev"
# Run this command to configure your shell: \n# eval $(pymachine env dev)
""",
    "fish": """\
set -gx DOCKER_TLS_VERIFY "1";
set -gx DOCKER_HOST "tcp://192.0.2.7:2376";
set -gx DOCKER_CERT_PATH "/home/me/machines/dev";
set -gx DOCKER_MACHINE_NAME "dev";
# Run this command to configure your shell: \n# eval (pymachine env dev)
""",
    "powershell": """\
$Env:DOCKER_TLS_VERIFY = "1"
$Env:DOCKER_HOST = "tcp://192.0.2.7:2376"
$Env:DOCKER_CERT_PATH = "/home/me/machines/dev"
$Env:DOCKER_MACHINE_NAME = "dev"
# Run this command to configure your shell: \n# & pymachine env dev | Invoke-Expression
""",
    "cmd": """\
SET DOCKER_TLS_VERIFY=1
SET DOCKER_HOST=tcp://192.0.2.7:2376
SET DOCKER_CERT_PATH=/home/me/machines/dev
SET DOCKER_MACHINE_NAME=dev
REM Run this command to configure your shell: \nREM \t@FOR /f "tokens=*" %i IN ('pymachine env dev') DO @%i
""",
    "tcsh": """\
setenv DOCKER_TLS_VERIFY "1";
setenv DOCKER_HOST "tcp://192.0.2.7:2376";
setenv DOCKER_CERT_PATH "/home/me/machines/dev";
setenv DOCKER_MACHINE_NAME "dev";
: Run this command to configure your shell: \n: eval `pymachine env dev`
""",
    "emacs": """\
(setenv "DOCKER_TLS_VERIFY" "1")
(setenv "DOCKER_HOST" "tcp://192.0.2.7:2376")
(setenv "DOCKER_CERT_PATH" "/home/me/machines/dev")
(setenv "DOCKER_MACHINE_NAME" "dev")
;; Run this command to configure your shell: \n;; (with-temp-buffer \
(shell-command "pymachine env dev" (current-buffer)) (eval-buffer))
""",
}
ALIKE = {"zsh": "bash", "sh": "bash", "dash": "bash", "ksh": "bash", "pwsh": "powershell"}

UNSET = {
    "bash": "unset DOCKER_HOST",
    "fish": "set -e DOCKER_HOST;",
    "powershell": "Remove-Item Env:\\\\DOCKER_HOST",
    "cmd": "SET DOCKER_HOST=",
    "tcsh": "unsetenv DOCKER_HOST;",
    "emacs": '(setenv "DOCKER_HOST" nil)',
}

# How each shell takes the output; $1 is the file that holds it.
TAKEN = {
    "bash": 'eval "$(cat "$FILE")"',
    "dash": 'eval "$(cat "$FILE")"',
    "zsh": 'eval "$(cat "$FILE")"',
    "fish": "eval (cat $FILE)",
    "tcsh": 'eval "`cat $FILE:q`"',
}
# As docker-machine's own hint taught people to write it, in a directory whose files match every pattern.
UNQUOTED = {
    "bash": "eval $(cat $FILE)",
    "dash": "eval $(cat $FILE)",
    "zsh": "eval $(cat $FILE)",
    "fish": "eval (cat $FILE)",
    "tcsh": "eval `cat $FILE`",
}
FLAGS = {"bash": ["--norc"], "dash": [], "zsh": ["-f"], "fish": ["--no-config"], "tcsh": ["-f"]}
VALUES = [
    "plain",
    "two  spaces and a\ttab",
    "it's",
    'the "best"',
    "$HOME ${HOME} $(id)",
    "`id`",
    "back\\slash \\n \\",
    "!important !! !$",
    "a;b|c&d<e>f(g)h",
    "* ? [a] {b,c} ~ ~root",
    "%PATH% ^x #y",
    "ümlaut ☃",
    "",
]


def taken(shell: str, output: str, directory: Path, how: dict[str, str] = TAKEN) -> dict[str, str]:
    """The environment of a shell that has evaluated an output."""
    file = directory / "output"
    file.write_text(output)
    line = [
        shell,
        *FLAGS[shell],
        "-c",
        f"{how[shell]}; command env -0" if shell != "tcsh" else f"{how[shell]}; env -0",
    ]
    environ = {"PATH": os.environ["PATH"], "HOME": str(directory), "FILE": str(file), "LC_ALL": "C.UTF-8"}
    done = subprocess.run(line, env=environ, cwd=directory, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stderr == b""
    return dict(item.split("=", 1) for item in done.stdout.decode().split("\0") if item)


@pytest.mark.parametrize("shell", [*PRINTED, *ALIKE])
def test_the_output_is_docker_machines_to_the_letter(shell: str) -> None:
    assert env.render(PAIRS, shell, "pymachine env dev") == PRINTED[ALIKE.get(shell, shell)]


@pytest.mark.parametrize("shell", [*PRINTED, *ALIKE])
def test_unsetting_is_docker_machines_to_the_letter(shell: str) -> None:
    printed = env.render_unset(["DOCKER_HOST"], shell, "pymachine env dev")
    hint = PRINTED[ALIKE.get(shell, shell)].splitlines()[-2:]
    assert printed.splitlines() == [UNSET[ALIKE.get(shell, shell)], *hint]


def test_every_shell_that_is_known_is_tested() -> None:
    assert {*PRINTED, *ALIKE} == set(env.SHELLS)


@pytest.mark.parametrize("shell", TAKEN)
def test_a_real_shell_sets_each_value_as_it_is(shell: str, tmp_path: Path) -> None:
    pairs = [(f"V{number}", value) for number, value in enumerate(VALUES)]
    seen = taken(shell, env.render(pairs, shell, "true"), tmp_path)
    assert [(name, seen.get(name)) for name, _ in pairs] == pairs


@pytest.mark.parametrize("shell", UNQUOTED)
def test_values_survive_even_an_unquoted_eval(shell: str, tmp_path: Path) -> None:
    for name in ("a", "b", "x y"):
        (tmp_path / name).write_text("")
    pairs = [(f"V{number}", value) for number, value in enumerate(VALUES)]
    seen = taken(shell, env.render(pairs, shell, "true"), tmp_path, UNQUOTED)
    assert [(name, seen.get(name)) for name, _ in pairs] == pairs


@pytest.mark.parametrize("shell", UNQUOTED)
def test_an_unquoted_eval_of_an_endpoint_without_tls_sets_what_follows_what_it_unsets(
    shell: str, tmp_path: Path
) -> None:
    pairs = env.variables("dev", "tcp://203.0.113.7:2375", None)
    seen = taken(shell, env.render(pairs, shell, "true"), tmp_path, UNQUOTED)
    assert seen["DOCKER_HOST"] == "tcp://203.0.113.7:2375"
    assert seen["DOCKER_MACHINE_NAME"] == "dev"
    assert "DOCKER_TLS_VERIFY" not in seen


@pytest.mark.parametrize("shell", TAKEN)
def test_a_real_shell_unsets_them_again(shell: str, tmp_path: Path) -> None:
    output = env.render(PAIRS, shell, "true") + env.render_unset(["DOCKER_HOST", "DOCKER_CERT_PATH"], shell, "true")
    if shell == "tcsh":  # what follows its comment is the comment's
        output = "".join(line + "\n" for line in output.splitlines() if not line.startswith(":"))
    if shell == "fish":
        output = "".join(line + "\n" for line in output.splitlines() if not line.startswith("#"))
    seen = taken(shell, output, tmp_path)
    assert "DOCKER_HOST" not in seen
    assert "DOCKER_CERT_PATH" not in seen
    assert seen["DOCKER_MACHINE_NAME"] == "dev"


@settings(max_examples=25, deadline=None)
@example(["-`", "--help $x", "- -"])
@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=30), min_size=1, max_size=20))
def test_no_value_escapes_from_its_quotes_in_bash(tmp_path_factory: pytest.TempPathFactory, values: list[str]) -> None:
    pairs = [(f"V{number}", value) for number, value in enumerate(values)]
    seen = taken("bash", env.render(pairs, "bash", "true"), tmp_path_factory.mktemp("bash"))
    assert {name: value for name, value in seen.items() if name.startswith("V")} == dict(pairs)


def test_characters_that_mean_something_are_escaped_where_no_shell_is_here_to_ask() -> None:
    pairs = [("V", 'a"b$c`d\\e&f%')]
    assert env.render(pairs, "powershell", "x").splitlines()[0] == '$Env:V = "a`"b`$c``d\\e&f%"'
    assert env.render(pairs, "emacs", "x").splitlines()[0] == '(setenv "V" "a\\"b$c`d\\\\e&f%")'
    assert env.render(pairs, "cmd", "x").splitlines()[0] == 'SET V=a"b$c`d\\e^&f%'


def test_compose_on_windows_is_told_about_paths() -> None:
    lines = env.render(PAIRS, "cmd", "pymachine env dev", windows=True).splitlines()
    assert lines[4] == "SET COMPOSE_CONVERT_WINDOWS_PATHS=true"


@pytest.mark.parametrize(
    ("environ", "windows", "shell"),
    [
        ({"SHELL": "/usr/bin/zsh"}, False, "zsh"),
        ({"SHELL": "bash"}, False, "bash"),
        ({"SHELL": "C:\\Program Files\\Git\\bin\\bash.exe"}, True, "bash"),
        ({}, False, None),
        ({"SHELL": ""}, True, "cmd"),
    ],
)
def test_the_shell_is_the_one_that_shell_names(environ: dict[str, str], windows: bool, shell: str | None) -> None:
    assert env.detect(environ, windows=windows) == shell


@pytest.mark.parametrize(
    ("environ", "pair"),
    [
        ({}, ("NO_PROXY", "192.0.2.7")),
        ({"no_proxy": "", "NO_PROXY": "a"}, ("NO_PROXY", "a,192.0.2.7")),
        ({"no_proxy": "a,b"}, ("no_proxy", "a,b,192.0.2.7")),
        ({"NO_PROXY": "a"}, ("NO_PROXY", "a,192.0.2.7")),
        ({"no_proxy": "a", "NO_PROXY": "b"}, ("no_proxy", "a,192.0.2.7")),
        ({"no_proxy": "192.0.2.7,a"}, ("no_proxy", "192.0.2.7,a")),
        ({"no_proxy": "192.0.2.77"}, ("no_proxy", "192.0.2.77,192.0.2.7")),
    ],
)
def test_the_address_is_added_to_no_proxy_once(environ: dict[str, str], pair: tuple[str, str]) -> None:
    assert env.no_proxy(environ, "192.0.2.7") == pair
