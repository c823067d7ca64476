"""``${name}``: where values come from, and where secrets may go."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from machine.errors import FleetFileError, UsageError
from machine.fleet.document import load_fleet
from tests.unit.fleet.marked import load, problems, write

CANARY = "canary-4711"
BEGIN = "variables: {password: {env: PASSWORD, secret: true}}\nfleet: x\ndefaults: {driver: nspawn}\n"


@pytest.mark.parametrize(
    ("declared", "environ", "given", "value"),
    [
        ("here", {}, {}, "here"),
        ("007", {}, {}, "007"),
        ("1.10", {}, {}, "1.10"),
        ("{env: VALUE, default: here}", {}, {}, "here"),
        ("{env: VALUE, default: here}", {"VALUE": ""}, {}, "here"),
        ("{env: VALUE, default: here}", {"VALUE": "there"}, {}, "there"),
        ("{env: VALUE, default: here}", {"VALUE": "there"}, {"v": "line"}, "line"),
        ("{}", {}, {"v": "line"}, "line"),
        ("here", {"v": "there"}, {"v": ""}, ""),
    ],
)
def test_the_command_line_is_asked_before_the_environment_and_that_before_the_file(
    tmp_path: Path, declared: str, environ: dict[str, str], given: dict[str, str], value: str
) -> None:
    text = f"variables: {{v: {declared}}}\nfleet: x\ndefaults: {{driver: nspawn}}\n"
    text += "groups: {web: {labels: {a: '${v}', b: 'x${v}y'}}}"
    (machine,) = load(tmp_path, text, environ, given).machines()
    assert machine.labels == {"a": value, "b": f"x{value}y"}


def test_a_text_that_is_one_variable_has_its_type(tmp_path: Path) -> None:
    text = (
        "variables: {n: {env: N}}\nfleet: x\ngroups: {web: {driver: nspawn, count: '${n}', options: {memory: '${n}g'}}}"
    )
    machines = list(load(tmp_path, text, {"N": "2"}).machines())
    assert [each.options for each in machines] == [{"memory": 2 << 30}] * 2


def test_a_shells_own_braces_are_left_alone_where_they_are_escaped_or_more_than_a_name(tmp_path: Path) -> None:
    text = "fleet: x\ngroups: {web: {driver: nspawn, commands: ['echo $${HOME} $HOME ${HOME:-x} $$']}}"
    (machine,) = load(tmp_path, text).machines()
    assert machine.commands[0].run == "echo ${HOME} $HOME ${HOME:-x} $$"


@pytest.mark.parametrize(
    "place",
    ["labels: {a: ¦'${password}'}", "commands: [¦'login ${password}']", "options: {mirror: ¦'http://u:${password}@h'}",
     "tls-san: [¦'${password}']", "machines: {web-1: {labels: {a: ¦'${password}'}}}"],
)  # fmt: skip
def test_a_secret_is_refused_where_it_would_be_recorded_or_shown_and_is_not_said(tmp_path: Path, place: str) -> None:
    text = f"{BEGIN}groups:\n  web: {{{place}}}\n"
    (said,) = problems(tmp_path, text, {"PASSWORD": CANARY})
    assert "a secret variable cannot be used here" in said
    assert CANARY not in said


def test_a_secret_goes_into_an_engines_settings_where_the_store_keeps_it_apart(tmp_path: Path) -> None:
    text = BEGIN + 'groups: {web: {engine: {env: ["HTTP_PROXY=http://u:${password}@proxy", "API_TOKEN=${password}"]}}}'
    fleet = load(tmp_path, text, {"PASSWORD": CANARY})
    (machine,) = fleet.machines()
    assert machine.engine == {"environment": (f"HTTP_PROXY=http://u:{CANARY}@proxy", f"API_TOKEN={CANARY}")}
    assert fleet.warnings == ()
    assert CANARY not in repr(fleet)


@pytest.mark.parametrize("setting", ["env: [¦'COLOUR=${password}']", "label: [¦'a=${password}']"])
def test_a_secret_is_refused_in_a_setting_that_is_recorded_as_it_is(tmp_path: Path, setting: str) -> None:
    (said,) = problems(tmp_path, f"{BEGIN}groups: {{web: {{engine: {{{setting}}}}}}}", {"PASSWORD": CANARY})
    assert "recorded in plain text" in said
    assert CANARY not in said


def test_a_secret_without_a_value_names_the_variable_of_the_environment_alone(tmp_path: Path) -> None:
    (said,) = problems(tmp_path, BEGIN + "groups: {web: {engine: {env: [¦'API_TOKEN=${password}']}}}")
    assert said == "the variable password has no value: set $PASSWORD"


def test_bytes_that_are_no_text_are_no_value(tmp_path: Path) -> None:
    text = "variables: {a: {env: A}}\nfleet: x\ngroups: {web: {driver: nspawn, labels: {a: ¦'${a}'}}}\n"
    (said,) = problems(tmp_path, text, {"A": "\udcff"})  # as Python has it from the environment
    assert said == "the value of the variable a is not UTF-8 text"


def test_a_secret_on_the_command_line_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        load(tmp_path, BEGIN + "groups:", {}, {"password": CANARY})
    assert "list processes" in caught.value.message
    assert caught.value.hint == "set $PASSWORD instead"
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize(
    "line",
    [
        "variables: {db-password: ¦canary}",
        "variables: {api_token: {env: A, default: ¦canary}}",
        "defaults: {labels: {token: ¦canary}}",
        "defaults: {engine: {env: [¦API_TOKEN=canary]}}",
        "defaults: {engine: {registry-mirror: [¦'https://me:canary@mirror.example.org']}}",
        "defaults: {commands: [¦docker login --username me --password canary]}",
        "defaults: {commands: [¦'echo password=canary > /etc/x']}",
        "defaults: {commands: [¦'curl -u x https://me:canary@example.org']}",
        "x-a: [¦AKIAABCDEFGHIJKLMNOP]",
    ],
)
def test_what_looks_like_a_password_is_warned_of_at_its_place_and_not_repeated(tmp_path: Path, line: str) -> None:
    path, (place,) = write(tmp_path, f"fleet: x\ngroups:\n{line}\n")
    (warning,) = load_fleet(path, {}).warnings
    assert warning.startswith(place)
    assert "canary" not in warning
    assert "AKIA" not in warning
    assert "secret: true" in warning


@pytest.mark.parametrize("part", ["a", "-", "--a", "token", "://a:b", "--token "])
def test_a_long_text_is_looked_through_in_no_time(tmp_path: Path, part: str) -> None:
    begun = time.process_time()
    load(tmp_path, f"fleet: x\ngroups:\ndefaults: {{commands: ['{part * 20_000}']}}\n")
    assert time.process_time() - begun < 5  # it was minutes


@pytest.mark.parametrize(
    "line",
    [
        "variables: {password: {env: PASSWORD}}",
        "defaults: {engine: {env: ['API_TOKEN=${t}']}}\nvariables: {t: {env: T, default: x}}",
        "defaults: {commands: [systemctl restart token.service, 'login --password $PASSWORD', 'x --password-file /f']}",
        "defaults: {labels: {tokens: /run/tokens}}",
        "defaults: {engine: {registry-mirror: ['https://mirror.example.org:5000']}}",
    ],
)
def test_what_only_names_a_password_is_not_warned_of(tmp_path: Path, line: str) -> None:
    assert load(tmp_path, f"fleet: x\ngroups:\n{line}\n").warnings == ()


def test_the_secret_is_in_no_message_about_the_rest(tmp_path: Path) -> None:
    path, _ = write(
        tmp_path, BEGIN + "groups: {web: {engine: {env: ['API-TOKEN=${password}'], version: '${password}'}}}"
    )
    with pytest.raises(FleetFileError) as caught:
        load_fleet(path, {"PASSWORD": CANARY})
    assert CANARY not in caught.value.message
