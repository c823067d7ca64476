"""``ls``: docker-machine's table to the letter, column by column; under both names."""

from __future__ import annotations

import json
from typing import Any

import pytest

from machine.model import State
from tests.conformance.conftest import Fleet, Program

HEADERS = ["NAME", "ACTIVE", "DRIVER", "STATE", "URL", "SWARM", "DOCKER", "ERRORS"]


def test_the_table_is_docker_machines_to_the_letter(
    program: Program, fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet.add("h1")
    fleet.add("a-longer-name", State.STOPPED, engine=None)
    monkeypatch.setenv("DOCKER_HOST", "tcp://192.0.2.1:2376")
    assert program("ls").out == (
        "NAME            ACTIVE   DRIVER   STATE     URL                    SWARM   DOCKER      ERRORS\n"
        "a-longer-name   -        cloud    Stopped                                  Unknown     \n"
        "h1              *        cloud    Running   tcp://192.0.2.1:2376           v20.10.24   \n"
    )


def test_without_machines_the_table_is_its_headers(program: Program, fleet: Fleet) -> None:
    said = program("ls")
    assert (said.code, said.out, said.err) == (0, "   ".join(HEADERS) + "\n", "")


def test_the_columns_are_those_of_the_contract(program: Program, some: Fleet) -> None:
    assert program("ls").out.splitlines()[0].split() == HEADERS


def test_a_name_given_to_ls_is_ignored(program: Program, some: Fleet) -> None:
    said = program("ls", "web1")
    assert (said.code, said.out) == (0, program("ls").out)
    assert said.err == program.expects(
        {"docker-machine": "", "pymachine": "ls lists all machines; only web1: --filter name='^web1$'\n"}
    )


def test_the_machine_that_docker_host_points_at_is_active(
    program: Program, some: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://192.0.2.3:2376")
    form = "{{.Name}} {{.Active}} {{.ActiveHost}} {{.ActiveSwarm}}"
    assert program("ls", "-f", form).out.splitlines() == [
        "db - false false",
        "web1 * true false",
        "Web2 - false false",
        "web10 - false false",
    ]


def test_a_stopped_machine_has_no_url_and_is_not_active(
    program: Program, some: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "tcp://192.0.2.2:2376")
    said = program("ls", "--filter", "name=Web2", "-f", "<{{.URL}}> {{.Active}} {{.DockerVersion}}")
    assert said.out == "<> - Unknown\n"


def test_an_ipv6_url_is_bracketed(program: Program, fleet: Fleet) -> None:
    fleet.add("six", address="2001:db8::7")
    assert program("ls", "-f", "{{.URL}}").out == "tcp://[2001:db8::7]:2376\n"


def test_what_went_wrong_stands_on_the_machines_own_line(program: Program, fleet: Fleet) -> None:
    fleet.add("h1", engine=None)
    (line,) = program("ls").out.splitlines()[1:]
    assert line.endswith("Unknown   unreachable: 192.0.2.1:2376 refuses connections")
    assert "Running" in line


def test_a_provider_that_fails_takes_no_other_machines_down(program: Program, fleet: Fleet) -> None:
    fleet.add("bad", driver="broken", says="no such\nregion")
    fleet.add("good")
    said = program("ls", "-f", "{{.Name}}|{{.State}}|{{.Error}}")
    bad = program.expects(
        {"docker-machine": "bad|Error|no such region", "pymachine": r"bad|Running (0s ago)|no such region"}
    )
    assert said.out.splitlines() == [bad, "good|Running|"]


def test_a_driver_that_breaks_is_named_and_takes_nothing_down(
    program: Program, fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet.add("h1")

    def load(name: str) -> Any:
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr("machine.driver.load_driver", load)
    said = program("ls", "-f", "{{.Name}} {{.Error}}")
    assert (said.code, said.out, said.err) == (0, "h1 ZeroDivisionError: by zero\n", "")


def test_output_is_json_yaml_wide_or_names(program: Program, some: Fleet) -> None:
    from ruamel.yaml import YAML

    listed = json.loads(program("ls", "-o", "json").out)
    assert [each["name"] for each in listed] == ["db", "web1", "Web2", "web10"]
    assert listed[3]["labels"] == ["env=Prod", "tier=front", "bare"]
    assert YAML(typ="safe", pure=True).load(program("ls", "-o", "yaml").out) == listed
    wide = program("ls", "-o", "wide").out.splitlines()
    ours = ["ADDRESS", "SYSTEM", "TYPE", "PLACE", "MARKET", "PRICE", "CREATED"]
    assert wide[0].split() == [*HEADERS[:-1], *ours, "ERRORS"]
    assert "192.0.2.3" in wide[2]
    assert "Debian 12" in wide[2]
