"""``ls --format``: docker-machine's fields, headers and errors."""

from __future__ import annotations

import re

import pytest

from machine.compat.listing import duration
from tests.conformance.conftest import Fleet, Program

ITEM_FIELDS = {
    "{{.Name}}": "h1",
    "{{.Active}}": "-",
    "{{.ActiveHost}} {{.ActiveSwarm}}": "false false",
    "{{.DriverName}}": "cloud",
    "{{.State}}": "Running",
    "{{.URL}}": "tcp://192.0.2.1:2376",
    "{{.Swarm}}": "",
    "{{.SwarmOptions}}": "{false   false false tcp://0.0.0.0:3376 swarm:latest spread 0 0 [] [] <nil> false}",
    "{{.SwarmOptions.Strategy}} {{.SwarmOptions.IsSwarm}}": "spread false",
    "{{.EngineOptions}}": "{[] <nil>  [] false [] [a=b c]   false true [] https://get.docker.com}",
    "{{.EngineOptions.Labels}} {{.EngineOptions.TLSVerify}}": "[a=b c] true",
    "{{range .EngineOptions.Labels}}<{{.}}>{{end}}": "<a=b><c>",
    "{{index .EngineOptions.Labels 0}} {{len .EngineOptions.Labels}}": "a=b 2",
    "{{.Error}}": "",
    "{{.DockerVersion}}": "v20.10.24",
    '{{if eq .DriverName "cloud"}}yes{{else}}no{{end}}': "yes",
    '{{if eq .State "Running"}}up{{end}}': "up",
    '{{printf "%-5s|%s" .Name .State}}': "h1   |Running",
    "{{.Name}}\\t{{.DriverName}}": "h1\tcloud",
    "{{.Name}}\\n": "h1\n",
    "  {{.Name}}  ": "h1",
    "plain": "plain",
    "{{json .Name}}": '"h1"',
    "{{json .EngineOptions.Labels}}": '["a=b","c"]',
}


@pytest.mark.parametrize(("form", "text"), ITEM_FIELDS.items())
def test_a_format_has_docker_machines_fields(program: Program, fleet: Fleet, form: str, text: str) -> None:
    fleet.add("h1", labels=["a=b", "c"])
    for flag in ("-f", "--format"):
        said = program("ls", flag, form)
        assert (said.code, said.out, said.err) == (0, text + "\n", "")


def test_the_response_time_is_a_span_as_go_prints_it(program: Program, fleet: Fleet) -> None:
    fleet.add("h1")
    assert re.fullmatch(r"(\d+ms|[\d.]+s)\n", program("ls", "-f", "{{.ResponseTime}}").out)
    assert program("ls", "-f", "{{lt .ResponseTime.Seconds 5.0}}").out == "true\n"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (0.012, "12ms"), (1, "1s"), (1.5, "1.5s"), (10, "10s"), (61.234, "1m1.234s"), (3600, "1h0m0s")],
)
def test_spans_of_time_print_as_gos(seconds: float, text: str) -> None:
    assert duration(seconds).text == text


HEADED = {
    "table {{.Name}}\t{{.DriverName}}": "NAME   DRIVER\nh1     cloud\n",
    "table {{.Name}}\\t{{.DriverName}}": "NAME   DRIVER\nh1     cloud\n",
    "table{{.Name}}": "NAME\nh1\n",
    "table {{.Name}}: {{.URL}}": "NAME: URL\nh1: tcp://192.0.2.1:2376\n",
    "table {{.Active}}\t{{.ActiveHost}}\t{{.ActiveSwarm}}\t{{.DockerVersion}}": (
        "ACTIVE   ACTIVE_HOST   ACTIVE_SWARM   DOCKER\n-        false         false          v20.10.24\n"
    ),
    "table {{.Error}}\t{{.Swarm}}\t{{.State}}": "ERRORS   SWARM   STATE\n                 Running\n",
    "table {{.Name}}\t": "NAME   \nh1     \n",
    "table {{.EngineOptions.Labels}}": "ENGINE_OPTIONS\n[a=b]\n",
    'table {{upper .Name}}\t{{if eq .State "Running"}}up{{end}}': "NAME   \nH1     up\n",
    "table": "\n\n",
}


@pytest.mark.parametrize(("form", "text"), HEADED.items())
def test_table_before_a_format_prints_headers_and_columns(program: Program, fleet: Fleet, form: str, text: str) -> None:
    fleet.add("h1", labels=["a=b"])
    assert program("ls", "--format", form).out == text


def test_every_field_has_docker_machines_header(program: Program, fleet: Fleet) -> None:
    fields = (
        "Name Active ActiveHost ActiveSwarm DriverName State URL SwarmOptions Swarm EngineOptions Error DockerVersion"
    )
    form = "table " + " ".join(f"{{{{.{field}}}}}" for field in [*fields.split(), "ResponseTime"])
    assert program("ls", "-f", form).out == (
        "NAME ACTIVE ACTIVE_HOST ACTIVE_SWARM DRIVER STATE URL SWARM_OPTIONS SWARM ENGINE_OPTIONS ERRORS DOCKER "
        "RESPONSE\n"
    )


def test_an_empty_format_is_the_default_table(program: Program, some: Fleet) -> None:
    assert program("ls", "-f", "").out == program("ls").out


@pytest.mark.parametrize(
    ("form", "message", "hint"),
    [
        (
            "{{.Nme}}",
            'template: :1:2: executing "" at <.Nme>: can\'t evaluate field Nme in type commands.HostListItem',
            "did you mean .Name?",
        ),
        (
            "{{.EngineOptions.Lables}}",
            "can't evaluate field Lables in type *engine.Options",
            "did you mean .EngineOptions.Labels?",
        ),
        ("{{.Name", "template: :1: unclosed action", ""),
        ("{{.Name}", 'template: :1: unexpected "}" in operand', ""),
        ("{{nope}}", 'template: :1: function "nope" not defined', ""),
        ("table {{.Name}}\t{{.Foo.Bar}}", "can't evaluate field Foo in type commands.HostListItem", "there are: .Name"),
    ],
)
def test_a_wrong_format_is_said_in_gos_words_and_prints_nothing_else(
    program: Program, some: Fleet, form: str, message: str, hint: str
) -> None:
    said = program("ls", "--format", form)
    assert (said.code, said.out) == (1, "")
    assert message in said.err.splitlines()[0]
    assert hint in said.err
