"""What may be a secret is said in no error: people show these to others, and a mistyped key may be a secret's."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from machine.cli import command_line as run
from machine.errors import FleetFileError
from machine.fleet.document import load_fleet
from tests.unit.fleet.marked import HOST, problems, write

CANARY = "canary-4711-" + "x" * 40
GROUP = f"fleet: x\ngroups:\n  web: {{{HOST}, "
AWS = "fleet: x\ngroups: {web: {driver: aws, options: {"
NSPAWN = "defaults: {driver: nspawn}\n"
SECRET = "variables: {p: {env: THE_PASSWORD, secret: true}}\n"

MISTAKES = {
    # The word `secret` itself.
    "secrt": "variables: {p: {env: THE_PASSWORD, secrt: true}}\n" + GROUP + "count: '${p}'}",
    "secret: yes": "variables: {p: {env: THE_PASSWORD, secret: yes}}\n" + GROUP + "count: '${p}'}",
    "secret is the value": "variables: {p: {secret: CANARY}}\n" + GROUP + "}",
    "no secret: at all": "variables: {p: {env: THE_PASSWORD}}\n" + GROUP + "limits: {parallel: '${p}'}}",
    "a variable's own text": "variables: {db-password: CANARY}\n" + GROUP + "host-key-policy: '${db-password}'}",
    "a default": "variables: {p: {env: NOT_SET, default: CANARY, secret: true}}\n" + GROUP + "count: '${p}'}",
    "secrt and a default": "variables: {p: {env: NOT_SET, default: CANARY, secrt: true}}\n" + GROUP + "count: '${p}'}",
    # Keys.
    "a mistyped option": AWS + "secret-kye: CANARY, volume-type: CANARY}}}",
    "a mistyped section": GROUP + "optoins: {volume-type: CANARY}, count: CANARY}",
    "a list under a key that nobody knows": GROUP + "passwords: [CANARY, {a: CANARY}], count: CANARY}",
    "an option of a driver that is mistyped": "fleet: x\ngroups: {web: {driver: asw, options: {secret-key: CANARY}}}",
    "an equals sign for a colon": AWS + "secret-key=CANARY}}}",
    "no space after the colon": AWS + "secret-key:CANARY}}}",
    "an equals sign in a label": GROUP + "labels: {API TOKEN=CANARY}}",
    "a secret option": AWS + "secret-key: CANARY}}}",
    "a secret option of another type": AWS + "secret-key: [CANARY, {a: CANARY}]}}}",
    "a secret option under defaults": "defaults: {driver: aws, options: {secret-key: CANARY}}\nfleet: x\ngroups: {a: }",
    "a telling key where another type is wanted": GROUP + "labels: {token: [CANARY]}, count: CANARY}",
    "twice": "fleet: x\nx-password: CANARY\nx-password: CANARY\ngroups:",
    # The engine's settings.
    "env without its name": GROUP + "engine: {env: [CANARY]}}",
    "env of a wrong name": GROUP + "engine: {env: ['API-TOKEN=CANARY']}}",
    "env as a mapping": GROUP + "engine: {env: {API_TOKEN: CANARY}}}",
    "env as one text": GROUP + "engine: {env: 'COLOUR-OF-IT=CANARY'}}",
    "env that is added": GROUP + "engine: {env+: ['COLOUR-OF-IT=CANARY']}}",
    "env by a variable": "variables: {p: {env: THE_PASSWORD}}\n" + GROUP + "engine: {env: ['A-B=${p}']}}",
    "env mistyped": GROUP + "engine: {environment: ['A=CANARY'], version: CANARY}}",
    "a mistyped opt": GROUP + "engine: {opt: ['log-optz=splunk-token=CANARY']}}",
    "an opt of another type": GROUP + "engine: {opt: ['debug=token=CANARY']}}",
    "a mirror": GROUP + "engine: {repository: 'https://me:CANARY@h/?token=CANARY', repository-key: 7}}",
    "a secret in a version": SECRET + NSPAWN + "fleet: x\ngroups: {web: {engine: {version: '${p}!'}}}",
    # Anywhere.
    "a secret variable anywhere": SECRET + GROUP + "labels: {a: '${p}'}, count: '${p}'}",
    "a secret variable in a name": SECRET + "fleet: x\ngroups: {web: {driver: nspawn, name: '${p} {grp}'}}",
    "a password in a path": GROUP + "files: [{source: 'https://me:CANARY@h/file', target: /a}]}",
    "a password in a target": GROUP + "files: [{source: a, target: 'password=CANARY'}]}",
    "a password in an owner": GROUP + "files: [{source: a, target: /a, owner: 'token: CANARY'}]}",
    "a password in when": GROUP + "commands: [{run: a, when: '--password CANARY'}]}",
    "an address with a password": "fleet: x\ngroups: {a: {driver: generic, options: {ip-address: 'ssh://me:CANARY@h'}}}",
    "a private key": GROUP + "tls-san: ['-----BEGIN RSA PRIVATE KEY-----CANARY']}",
    "a name": "fleet: 'token=CANARY'\ngroups: {a: {driver: nspawn, name: 'password=CANARY {grp}'}}",
    # No YAML.
    "a password that begins with a star": "x-password: *CANARY\nfleet: x\ngroups:",
    "a password that begins with an exclamation mark": "x-password: !CANARY\nfleet: x\ngroups:",
    "one with two": "x-password: !CANARY!x\nfleet: x\ngroups:",
    "a password that begins with an at": "x-password: @CANARY\nfleet: x\ngroups:",
    "a quote that is not closed": "x-password: 'CANARY\nfleet: x\ngroups:",
    "a colon too many": "x-password: CANARY: b\nfleet: x\ngroups:",
    "a tab": "fleet: x\n\tpassword: CANARY\n",
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_shows_no_secret(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, mistake: str
) -> None:
    monkeypatch.setenv("THE_PASSWORD", CANARY)
    path, _ = write(tmp_path, MISTAKES[mistake].replace("CANARY", CANARY))
    for command in (["validate"], ["plan"], ["plan", "-o", "json"], ["apply", "-y"], ["status"]):
        code = run(["fleet", command[0], path, *command[1:]])
        said = capsys.readouterr()
        assert code == 1, command
        assert f"{path}:" in said.err
        assert "canary" not in said.out + said.err, command
    with pytest.raises(FleetFileError) as caught:
        load_fleet(path)
    assert "canary" not in repr((caught.value.problems, caught.value.message, caught.value.hint, caught.value.cause))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        # A short secret is taken out of what is said of its own place, and not out of every word.
        (GROUP + "engine: {env: [¦'A-B=at']}, count: ¦x}", ["'A-B=[hidden]' is not NAME=VALUE", "and this is 'x'"]),
        (
            GROUP + "engine: {env: [¦'A-B=at', ¦'C-D=at']}}",
            ["'A-B=[hidden]' is", "'C-D=[hidden]' is"],
        ),
        # What is no secret's is said: it helps.
        (GROUP + "host-key-policy: ¦lax}", ["'lax' is not known"]),
        ("variables: {n: two}\n" + GROUP + "count: ¦'${n}'}", ["and this is 'two'"]),
        (
            "variables: {n: {env: N, secret: ¦yes}}\n" + GROUP + "labels: {a: '${n}'}}",
            ["secret is true or false, and this is 'yes'"],
        ),
        ("fleet: x\ngroups: {a: {driver: aws, options: {¦secret-kye: b}}}", ["did you mean secret-key?"]),
        ("fleet: x\ngroups: {a: {driver: aws, options: {¦secret-key:bcde}}}", ["key 'secret-key:[hidden]'"]),
    ],
)
def test_what_is_wrong_is_still_said(tmp_path: Path, text: str, said: list[str]) -> None:
    found = "\n".join(problems(tmp_path, text, {"N": "3"}))
    for each in said:
        assert each in found


def test_thousands_of_secrets_are_taken_out_of_thousands_of_errors(tmp_path: Path) -> None:
    machines = "".join(f"      m{n}: {{labels: {{token: secret-{n}, 'secret-{n}': [a]}}}}\n" for n in range(3000))
    begun = time.process_time()
    with pytest.raises(FleetFileError) as caught:
        load_fleet(write(tmp_path, f"fleet: x\ngroups:\n  web:\n    driver: nspawn\n    machines:\n{machines}")[0])
    assert time.process_time() - begun < 10
    assert len(caught.value.problems) == 3000
    assert all("[hidden] is a text" in each for each in caught.value.problems)
