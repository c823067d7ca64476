"""The command line, as far as it needs no host."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from machine.cli import command_line as run
from machine.cli.main import _COMMANDS
from machine.driver import driver_names
from machine.model import State
from machine.store.store import Store
from tests.unit.specs import add_machine, spec

NAMED = ["config", "env", "inspect", "ip", "ssh", "status", "url", "version", "rm", "start", "stop", "restart", "kill",
         "provision"]  # fmt: skip
Say = Callable[..., tuple[int, str, str]]


@pytest.fixture
def say(store: Store, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Say:
    """Run a command line on the store; its exit code, what it printed and what it complained of."""
    monkeypatch.setenv("PYMACHINE_HOME", store.directory)
    monkeypatch.setenv("SHELL", "/bin/bash")

    def say(*argv: str, stdin: str = "") -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        code = run(list(argv))
        said = capsys.readouterr()
        return code, said.out, said.err

    return say


def half_made(store: Store, name: str = "web") -> None:
    """A create that failed before any host was reached."""
    store.journal.finish(store.journal.begin_create(spec(name)), state=State.ERROR, error="connect: no answer")


@pytest.mark.parametrize("command", _COMMANDS)
def test_every_command_has_a_help_that_names_it(say: Say, command: str) -> None:
    for flag in ("--help", "-h"):
        code, out, err = say(command, flag)
        assert (code, err) == (0, "")
        assert out.startswith(f"Usage: pymachine {command} ")
        assert len(out.splitlines()) > 3


@pytest.mark.parametrize("driver", ["generic", "nspawn"])
def test_the_help_of_create_shows_the_options_of_the_driver_chosen(say: Say, driver: str) -> None:
    for words in (["-d", driver], ["--driver", driver], [f"--driver={driver}"], [f"-d{driver}"]):
        code, out, _ = say("create", *words, "--help")
        assert code == 0
        assert f"--{driver}-" in out
    _, plain, _ = say("create", "--help")
    assert "--generic-" not in plain
    assert ", ".join(driver_names()) in plain


def test_the_help_lists_every_command_with_what_it_does(say: Say) -> None:
    code, out, _ = say("--help")
    assert code == 0
    listed = dict(line.split(maxsplit=1) for line in out.partition("Commands:\n")[2].splitlines() if line.strip())
    assert set(listed) == set(_COMMANDS)


def test_every_file_of_a_command_is_a_command() -> None:
    from machine import cli
    from machine.cli import fleet

    helpers = {
        "__init__",
        "__main__",
        "context",
        "explained",
        "driverflags",
        "engineflags",
        "failures",
        "fleetfile",
        "fleetplan",
        "fleetprogress",
        "lazy",
        "main",
        "making",
        "oldflags",
        "progress",
        "several",
    }
    helpers |= {"usable", "selecting"}
    files = {path.stem for path in Path(str(cli.__file__)).parent.glob("*.py")}
    of_fleet = {name for name in files if name.startswith("fleet_")}
    assert {name.replace("_", "-") for name in files - helpers - of_fleet} == set(_COMMANDS)
    assert {name.removeprefix("fleet_").replace("_", "-") for name in of_fleet} == set(fleet.COMMANDS)


def test_the_version_is_said_in_docker_machines_words(say: Say) -> None:
    from machine.version import VERSION

    for words in (["--version"], ["-v"], ["version"]):
        assert say(*words) == (0, f"pymachine version {VERSION}\n", "")


@pytest.mark.parametrize(
    ("line", "message", "next_step"),
    [
        ("nonsense", "No such command 'nonsense'", "pymachine --help"),
        ("craete x", "Did you mean create?", "pymachine --help"),
        ("--nonsense ls", "No such option", "pymachine --help"),
        ("ls --quite", "--quiet", "pymachine ls --help"),
        ("ls --timeout soon", "'soon' is not a valid float", "pymachine ls --help"),
        ("ls -o xml", "'xml' is not one of", "pymachine ls --help"),
        ("ls -o json -f x", "--format and --output do not go together", "give one of them"),
        ("ls --filter name", "Unsupported filter syntax", "--filter driver=generic"),
        ("ls --filter nmae=x", "Unsupported filter key 'nmae'", "did you mean name?"),
        ("ls --filter name=[", "error parsing regexp", "name=^web"),
        ("ls -f {{.Nme}", 'template: :1: unexpected "}" in operand', ""),
        ("inspect a b", "Expected one machine name as an argument", "pymachine inspect NAME"),
        ("status a b", "Expected one machine name as an argument", "pymachine ls"),
        ("create", "No machine name specified", "pymachine create --help"),
        ("create -d", "requires an argument", ""),
        ("create -d genric x", 'no driver "genric"', "did you mean generic?"),
        ("create -d generic x", "the driver generic needs --generic-ip-address", "GENERIC_IP_ADDRESS"),
        ("create -d generic --generic-ip-adress h x", "No such option", "pymachine create --help"),
        ("create -d generic --generic-ip-address a@b x", "--generic-ssh-user a", ""),
        ("create -d generic --generic-ip-address h --generic-ssh-port ssh x", "--generic-ssh-port: 'ssh' is not", ""),
        ("create -d generic --generic-ip-address h --generic-host-key MD5:x x", "not a host key fingerprint", ""),
        ("create -d generic --generic-ip-address h --generic-ssh-key /nowhere/id x", "no file /nowhere/id", ""),
        ("create --generic-ip-address h x", "is an option of the driver generic", "add --driver generic"),
        ("create -d generic --nspawn-memory 1g x", "is an option of the driver nspawn", "the driver chosen is generic"),
        ("create -d generic --generic-ip-address h --tls-san a..b x", "--tls-san: 'a..b'", "--tls-san web1"),
        ("create -d generic --generic-ip-address h --timeout 0 x", "0.0 is not in the range", ""),
        ("create -d generic --generic-ip-address h --host-key-policy lax x", "'lax' is not one of", ""),
        ("create -d generic --generic-ip-address h --engine-source dokcer x", "'dokcer' is not a source", "docker?"),
        ("create -d generic --generic-ip-address h --engine-opt tlsverify x", "tlsverify cannot be set", ""),
        ("create -d generic --generic-ip-address h --engine-install-url http://s x", "no script", "--engine-version"),
        ("create -d none --url tcp://h:1 --join x", "--join is for hosts that exist", ""),
        ("create -d generic --generic-ip-address h a_b", "a machine cannot be called 'a_b'", "letters, digits"),
        ("create -d generic --generic-ip-address h -- -x", "a machine cannot be called '-x'", "letters, digits"),
        ("create -d generic --generic-ip-address h x y", "Found extra arguments [y]", "pymachine create --help"),
        ("env --shell bsh default", "unknown shell 'bsh'", "did you mean"),
        ("env -u web", "Expected no machine name when the -u flag is present", "pymachine env --unset"),
        ("active", "No active host found", "pymachine env"),
        ("active web", "Too many arguments given", "pymachine active --help"),
        ("env", 'no machine name given, and there is no machine "default"', "pymachine ls"),
        ("rm", "Expected to get one or more machine names", "pymachine ls"),
    ],
)
def test_a_wrong_line_gets_one_clear_message_and_changes_nothing(
    say: Say, store: Store, line: str, message: str, next_step: str
) -> None:
    code, out, err = say(*line.split())
    assert (code, out) == (1, "")
    assert message in err
    assert next_step in err
    assert err.startswith("Error: ")
    assert err.count("Error: ") == 1
    assert "Traceback" not in err
    assert store.machines.all() == []
    assert not os.path.exists(os.path.join(store.directory, "machines"))


@pytest.mark.parametrize("command", NAMED)
def test_an_unknown_machine_gets_the_nearest_name(say: Say, store: Store, command: str) -> None:
    add_machine(store, "web1")
    code, out, err = say(command, "wep1")
    assert (code, out) == (1, "")
    assert err == 'Error: no machine "wep1"\n  next:  did you mean web1?\n'


@pytest.mark.parametrize("name", ["web", "WEB"])
def test_a_taken_name_is_refused_ignoring_case(say: Say, store: Store, name: str) -> None:
    add_machine(store, "Web")
    code, _, err = say("create", "-d", "generic", "--generic-ip-address", "127.0.0.1", name)
    assert code == 1
    assert err.startswith('Error: a machine "Web" exists\n')
    assert "pymachine rm Web" in err
    assert store.machines.names() == ["Web"]


@pytest.mark.parametrize("stdin", ["", "\n", "n\n", "no\n", "what\n"])
def test_rm_asks_and_anything_but_yes_removes_nothing(say: Say, store: Store, stdin: str) -> None:
    half_made(store)
    code, out, _ = say("rm", "web", stdin=stdin)
    assert code == 0
    assert out.startswith("About to remove web\n")
    assert store.machines.names() == ["web"]


def test_rm_with_one_unknown_name_removes_nothing(say: Say, store: Store) -> None:
    half_made(store)
    assert say("rm", "-y", "web", "nobody")[0] == 1
    assert store.machines.names() == ["web"]


@pytest.mark.parametrize(("words", "stdin"), [(["-y"], ""), (["-f"], ""), ([], "y\n"), ([], "Yes\n")])
def test_rm_removes_what_no_host_was_made_for(say: Say, store: Store, words: list[str], stdin: str) -> None:
    half_made(store)
    store.files("web").write("id_ed25519", b"secret")
    code, out, err = say("rm", *words, "web", "WEB", stdin=stdin)
    assert code == 0, err
    assert out.count("web is removed") == 1
    assert store.machines.names() == []
    assert not os.path.exists(store.files("web").directory)


def test_ls_without_machines_is_its_headers(say: Say) -> None:
    code, out, err = say("ls")
    assert (code, err) == (0, "")
    assert out.split()[0] == "NAME"
    assert len(out.splitlines()) == 1
    assert say("ls", "-o", "json") == (0, "[]\n", "")
    assert say("ls", "-q") == (0, "", "")


def test_ls_prints_json_that_says_what_is_known(say: Say, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    add_machine(store, "web10", address="127.0.0.1", url="tcp://127.0.0.1:1")
    half_made(store, "web9")
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    code, out, _ = say("ls", "-o", "json")
    assert code == 0
    first, second = json.loads(out)
    assert (first["name"], first["state"], first["url"], first["trouble"]) == (
        "web9",
        "Error",
        None,
        "connect: no answer",
    )
    assert (second["name"], second["driver"], second["address"]) == ("web10", "generic", "127.0.0.1")
    assert (first["active"], second["active"]) == (False, True)


def test_a_host_that_does_not_answer_keeps_its_row(say: Say, store: Store) -> None:
    add_machine(store, address="127.0.0.1", url="tcp://127.0.0.1:1")
    code, out, _ = say("ls", "-t", "5")
    assert code == 0
    assert "web" in out
    assert "unreachable" in out


def test_inspect_prints_json_without_a_secret(say: Say, store: Store) -> None:
    from machine.operations.authority import ensure_client_certificate, store_authority

    add_machine(store)
    ensure_client_certificate(store, store.files("web"), "web", store_authority(store))
    code, out, _ = say("inspect", "web")
    assert code == 0
    seen = json.loads(out)
    assert (seen["Name"], seen["DriverName"], seen["Driver"]["IPAddress"]) == ("web", "generic", "192.0.2.7")
    assert "PRIVATE KEY" not in out


def test_config_prints_docker_machines_five_lines(say: Say, store: Store) -> None:
    add_machine(store)
    files = store.files("web").directory
    code, out, _ = say("config", "web")
    assert code == 0
    assert out.splitlines() == [
        "--tlsverify",
        f'--tlscacert="{files}/ca.pem"',
        f'--tlscert="{files}/cert.pem"',
        f'--tlskey="{files}/key.pem"',
        "-H=tcp://192.0.2.7:2376",
    ]


@pytest.mark.parametrize("command", ["env", "url", "config"])
def test_a_stopped_machine_has_no_endpoint_to_hand_out(say: Say, store: Store, command: str) -> None:
    add_machine(store, state=State.STOPPED)
    code, out, err = say(command, "web")
    assert (code, out) == (1, "")
    assert "is recorded as stopped" in err
    assert "pymachine start web" in err


@pytest.mark.parametrize("command", ["env", "url", "config", "ip"])
def test_a_machine_that_was_never_finished_says_why_and_how_to_go_on(say: Say, store: Store, command: str) -> None:
    half_made(store)
    code, out, err = say(command, "web")
    assert (code, out) == (1, "")
    assert "connect: no answer" in err
    assert "pymachine create web" in err


def test_ssh_to_a_stopped_machine_says_so_in_docker_machines_words(say: Say, store: Store) -> None:
    add_machine(store, state=State.STOPPED)
    code, _, err = say("ssh", "web")
    assert code == 1
    assert 'Host "web" is not running' in err


def test_a_failed_pre_check_has_an_exit_code_of_its_own(say: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    from importlib.metadata import EntryPoint

    broken = EntryPoint("broken", "no_such_module:Driver", "pymachine.drivers")
    monkeypatch.setattr("machine.driver._entry_points", lambda: [broken])
    code, _, err = say("create", "-d", "broken", "x")
    assert code == 3
    assert "the driver broken cannot be loaded" in err
    assert "no_such_module" in err


def test_the_commands_run_as_a_process_of_their_own(store: Store) -> None:
    line = [sys.executable, "-m", "machine.cli", "-s", store.directory, "url", "nobody"]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith('Error: no machine "nobody"')
