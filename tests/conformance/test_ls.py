"""``ls``: docker-machine's table, filters, formats and orders; under both names."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from machine.compat.listing import duration
from machine.compat.states import IN_ITS_WORDS, WORDS, its_word
from machine.model import State
from machine.store.store import Store
from tests.conformance.conftest import Fleet, Program
from tests.unit.processes import python

HEADERS = ["NAME", "ACTIVE", "DRIVER", "STATE", "URL", "SWARM", "DOCKER", "ERRORS"]


@pytest.fixture
def some(fleet: Fleet) -> Fleet:
    """Machines of several kinds."""
    fleet.add("web10", labels=["env=Prod", "tier=front", "bare"])
    fleet.add("Web2", State.STOPPED, engine=None, labels=["env=test"])
    fleet.add("web1", driver="other", engine="24.0.7")
    fleet.add("db", State.ERROR, driver="Other", engine=None)
    return fleet


# The table


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


def test_the_table_sorts_naturally_and_without_case(program: Program, some: Fleet) -> None:
    some.add("web01")
    names = [line.split()[0] for line in program("ls").out.splitlines()[1:]]
    assert names == ["db", "web1", "web01", "Web2", "web10"]


def test_quiet_lists_in_the_order_of_the_bytes_and_asks_nobody(program: Program, some: Fleet) -> None:
    for words in (["-q"], ["--quiet"], ["-q", "--format", "{{"], ["-o", "name"]):
        said = program("ls", *words)
        assert (said.code, said.out.split(), said.err) == (0, ["Web2", "db", "web1", "web10"], "")
    assert some.asked == []


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


# States

SEEN = {
    State.CREATING: ("Creating", "Starting"),
    State.STARTING: ("Starting", "Starting"),
    State.RUNNING: ("Running", "Running"),
    State.STOPPING: ("Stopping", "Stopping"),
    State.STOPPED: ("Stopped", "Stopped"),
    State.PREEMPTED: ("Preempted", "Stopped"),
    State.GONE: ("Gone", "Error"),
    State.ERROR: ("Error", "Error"),
    State.UNKNOWN: ("Unknown", "Timeout"),
}


@pytest.mark.parametrize("state", State)
def test_states_have_docker_machines_words_under_its_name(program: Program, fleet: Fleet, state: State) -> None:
    fleet.add("h1", says=state, engine=None)
    ours, its = SEEN[state]
    word = its if program.drop_in else ours
    assert program("ls", "-f", "{{.State}}").out == f"{word}\n"
    assert program("status", "h1").out == f"{word}\n"
    assert program("ls", "-q", "--filter", f"state={word}").out == "h1\n"


def test_every_state_of_ours_is_a_word_of_docker_machines() -> None:
    assert set(IN_ITS_WORDS) == set(State)
    assert set(IN_ITS_WORDS.values()) <= set(WORDS)


def test_an_endpoint_by_its_url_runs_as_docker_machine_has_it(program: Program, fleet: Fleet) -> None:
    fleet.add("place", State.UNKNOWN, driver="none", route="plain", engine=None)
    assert program("ls", "-f", "{{.State}}").out == program.expects(
        {"docker-machine": "Running\n", "pymachine": "Unknown\n"}
    )
    assert its_word(State.STOPPED, given=True) == "Stopped"


def test_status_is_one_word_and_exits_0_whatever_it_is(program: Program, fleet: Fleet) -> None:
    fleet.add("default", State.STOPPED)
    for words in (["status"], ["status", "default"], ["status", "DEFAULT"]):
        said = program(*words)
        assert (said.code, said.out, said.err) == (0, "Stopped\n", "")


def test_status_of_two_machines_is_refused(program: Program, fleet: Fleet) -> None:
    fleet.add("a")
    fleet.add("b")
    said = program("status", "a", "b")
    assert (said.code, said.out) == (1, "")
    assert said.err.startswith("Error: Expected one machine name as an argument\n")


# Filters


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        (["driver=cloud"], "Web2 web10"),
        (["driver=CLOUD"], "Web2 web10"),
        (["DRIVER=other"], "db web1"),
        (["driver=cloud", "driver=other"], "Web2 db web1 web10"),
        (["driver=clou"], ""),
        (["driver=a=b"], ""),
        (["name=web"], "web1 web10"),
        (["name=Web"], "Web2"),
        (["name=(?i)web"], "Web2 web1 web10"),
        (["name=^web1$"], "web1"),
        (["name=eb"], "Web2 web1 web10"),
        (["name=b$"], "db"),
        (["name=d", "name=2"], "Web2 db"),
        (["name=[[:digit:]]{2}"], "web10"),
        (["name=1\\z"], "web1"),
        (["name="], "Web2 db web1 web10"),
        (["label=env=prod"], "web10"),
        (["label=env=PROD"], "web10"),
        (["label=ENV=prod"], ""),
        (["label=env=prod", "label=env=test"], "Web2 web10"),
        (["label=env"], "Web2 web10"),
        (["label=bare"], "web10"),
        (["label=bare="], "web10"),
        (["label=bare=x"], ""),
        (["label=nope"], ""),
        (["label="], ""),
        (["state=running"], "web1 web10"),
        (["state=Stopped"], "Web2"),
        (["state=Stopped", "state=error"], "Web2 db"),
        (["state=Paused"], ""),
        (["swarm=master"], ""),
        (["swarm="], "Web2 db web1 web10"),
        (["driver=cloud", "state=Running"], "web10"),
        (["driver=other", "name=web", "state=Running", "state=Stopped"], "web1"),
        (["driver=other", "name=Web2"], ""),
    ],
    ids=lambda each: " ".join(each) if isinstance(each, list) else None,
)
def test_filters_are_any_of_a_keys_values_and_all_of_the_keys(
    program: Program, some: Fleet, filters: list[str], names: str
) -> None:
    words = [word for each in filters for word in ("--filter", each)]
    said = program("ls", "-q", *words)
    assert (said.code, said.out.split()) == (0, names.split())
    listed = program("ls", "--format", "{{.Name}}", *words)
    assert sorted(listed.out.split()) == names.split()


@pytest.mark.parametrize(
    ("wanted", "message", "hint"),
    [
        ("driver", "Unsupported filter syntax", "--filter driver=generic"),
        ("", "Unsupported filter syntax", ""),
        ("foo=bar", "Unsupported filter key 'foo'", "known: driver, label, name, state, swarm"),
        ("Labl=a", "Unsupported filter key 'labl'", "did you mean label?"),
        ("=a", "Unsupported filter key ''", "known:"),
        ("name=[a", "error parsing regexp", ""),
        ("name=a{999999999999999999999}", "error parsing regexp", ""),
        ("name=*", "error parsing regexp", ""),
    ],
)
def test_a_wrong_filter_is_said_in_docker_machines_words(
    program: Program, some: Fleet, wanted: str, message: str, hint: str
) -> None:
    said = program("ls", "-q", "--filter", wanted)
    assert (said.code, said.out) == (1, "")
    assert message in said.err.splitlines()[0]
    assert hint in said.err
    assert some.asked == []


@pytest.mark.parametrize(
    ("wanted", "note"),
    [
        ("state=runing", "there is no such state; did you mean Running?"),
        ("driver=othr", "there is no such driver; did you mean"),
        ("driver=virtualbox", ""),
        ("state=Saved", ""),
    ],
)
def test_a_mistyped_value_lists_nothing_and_is_told_of_under_our_name(
    program: Program, some: Fleet, wanted: str, note: str
) -> None:
    said = program("ls", "-q", "--filter", wanted)
    assert (said.code, said.out) == (0, "")
    assert note in said.err if not program.drop_in and note else said.err == ""


def test_drivers_are_found_by_docker_machines_names_too(program: Program, fleet: Fleet) -> None:
    fleet.add("cloudy", driver="aws")
    for name in ("aws", "amazonec2", "AmazonEC2"):
        assert program("ls", "-q", "--filter", f"driver={name}").out == "cloudy\n"
    its = program.expects({"docker-machine": "amazonec2\n", "pymachine": "aws\n"})
    assert program("ls", "-f", "{{.DriverName}}").out == its


def test_only_machines_that_the_other_filters_let_through_are_asked(program: Program, some: Fleet) -> None:
    program("ls", "-q", "--filter", "state=Running", "--filter", "name=^web1$")
    assert sorted(some.asked) == ["192.0.2.3", "other"]


def test_a_state_that_nobody_confirmed_is_none_that_is_wanted(program: Program, fleet: Fleet) -> None:
    fleet.add("h1", says="no credentials")
    assert program("ls", "-q", "--filter", "state=Running").out == ""
    assert program("ls", "-q", "--recorded", "--filter", "state=Running").out == "h1\n"


# Formats

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


# What pymachine adds


def test_recorded_asks_nobody_and_goes_with_filters_and_formats(program: Program, some: Fleet) -> None:
    table = program("ls", "--recorded")
    assert re.search(r"^web1 +- +other +Running \(0s ago\) +tcp://192.0.2.3:2376 +v24.0.7 +$", table.out, re.MULTILINE)
    assert (
        program("ls", "--recorded", "--filter", "state=stopped", "-f", "{{.Name}} {{.State}}").out == "Web2 Stopped\n"
    )
    (one,) = json.loads(program("ls", "--recorded", "--filter", "name=db", "-o", "json").out)
    assert (one["name"], one["state"], one["recorded"]) == ("db", "Error", True)
    assert some.asked == []


def test_output_is_json_yaml_wide_or_names(program: Program, some: Fleet) -> None:
    from ruamel.yaml import YAML

    listed = json.loads(program("ls", "-o", "json").out)
    assert [each["name"] for each in listed] == ["db", "web1", "Web2", "web10"]
    assert listed[3]["labels"] == ["env=Prod", "tier=front", "bare"]
    assert YAML(typ="safe", pure=True).load(program("ls", "-o", "yaml").out) == listed
    wide = program("ls", "-o", "wide").out.splitlines()
    assert wide[0].split() == [*HEADERS[:-1], "ADDRESS", "SYSTEM", "CREATED", "ERRORS"]
    assert "192.0.2.3" in wide[2]
    assert "Debian 12" in wide[2]


def test_a_state_that_was_seen_is_recorded(program: Program, fleet: Fleet, store: Store) -> None:
    fleet.add("h1", State.RUNNING, says=State.STOPPED, engine=None)
    program("ls")
    assert store.machines.get("h1").state is State.STOPPED


def test_ls_answers_while_another_process_holds_the_store(program: Program, fleet: Fleet, store: Store) -> None:
    fleet.add("h1", State.RUNNING, says=State.STOPPED, engine=None)
    held, done = threading.Event(), threading.Event()

    def hold() -> None:
        with store.database.write():
            held.set()
            done.wait(20)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(20)
    begun = time.monotonic()
    assert program("ls", "-f", "{{.State}}").out == "Stopped\n"
    assert time.monotonic() - begun < 5
    done.set()
    thread.join()


# Nobody waits for ever


@pytest.fixture
def silent() -> Iterator[int]:
    """A port of this computer that accepts and says nothing."""
    with socket.create_server(("127.0.0.1", 0), backlog=200) as server:
        yield server.getsockname()[1]


def certificates(store: Store, names: list[str]) -> None:
    """Files that a client of these machines needs before it can dial."""
    from machine.operations.authority import ensure_client_certificate, store_authority

    authority = store_authority(store)
    first = store.files(names[0])
    ensure_client_certificate(store, first, names[0], authority)
    for name in names[1:]:
        for file in ("ca.pem", "cert.pem", "key.pem"):
            store.files(name).write(file, first.read(file) or b"")


def test_a_hundred_machines_of_which_thirty_are_dead_are_listed_in_time(
    program: Program, store: Store, silent: int
) -> None:
    fleet = Fleet(store)
    dead = [f"dead{number}" for number in range(30)]
    for name in dead:
        fleet.add(name, driver="generic", address="127.0.0.1", port=silent)
    for number in range(70):
        fleet.add(f"live{number}", State.UNKNOWN, driver="none", address="127.0.0.1", port=1, route="plain")
    certificates(store, dead)
    started = time.monotonic()
    python("pass")
    begun = time.monotonic()
    said = program.process("ls", "-t", "2", "-f", "{{.Name}} {{.State}} {{.ResponseTime}}")
    took = time.monotonic() - begun
    assert (said.code, said.err) == (0, "")
    # A Python that does nothing takes 11 ms where nobody else wants the cores; where it takes far longer, so does ls.
    assert took < 2 + max(1.0, 20 * (begun - started))
    lines = said.out.splitlines()
    assert len(lines) == 100
    assert lines[0] == program.expects({"docker-machine": "dead0 Timeout 2s", "pymachine": "dead0 Unknown 2s"})
    assert lines[99].startswith(program.expects({"docker-machine": "live69 Running ", "pymachine": "live69 Unknown "}))


def test_more_dead_machines_than_answer_at_once_hide_no_living_one(
    program: Program, fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(60):
        fleet.add(f"dead{number}", address=f"198.51.100.{number}")
    fleet.add("live", address="192.0.2.99")
    health = fleet.health

    def answers(address: str, *_: Any, **__: Any) -> Any:
        if address.startswith("198."):
            time.sleep(1.5)
        return health(address)

    monkeypatch.setattr("machine.operations.observe.ask_health", answers)
    said = program("ls", "-t", "1", "--filter", "state=Running", "-f", "{{.Name}} {{.DockerVersion}}")
    assert "live v20.10.24" in said.out.splitlines()


def test_a_machine_that_does_not_answer_in_time_is_as_it_is_recorded_or_a_timeout(
    program: Program, fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet.add("h1")

    def observe(self: object, instances: object) -> Any:
        time.sleep(1)
        return []

    monkeypatch.setattr("tests.conformance.conftest._Provider.observe", observe)
    said = program("ls", "-t", "0.2")
    (line,) = said.out.splitlines()[1:]
    if program.drop_in:
        assert line == "h1              cloud    Timeout                          "
    else:
        assert re.fullmatch(
            r"h1 +- +cloud +Running \(0s ago\) +tcp://192.0.2.1:2376 +v20.10.24 +no answer in 0.2 s", line
        )
    assert program("ls", "-t", "0.2", "-q", "--filter", "state=Timeout").out == "h1\n"
    assert program("ls", "-t", "0.2", "-q", "--filter", "state=Running").out == ""


@pytest.mark.parametrize("seconds", ["-1", "soon"])
def test_a_timeout_is_a_number_of_seconds(program: Program, fleet: Fleet, seconds: str) -> None:
    said = program("ls", "-t", seconds)
    assert (said.code, said.out) == (1, "")


def test_watch_draws_again_until_ctrl_c(program: Program, store: Store, tmp_path: Path) -> None:
    Fleet(store).add("h1", State.UNKNOWN, driver="none", address="127.0.0.1", port=1, route="plain", engine=None)
    out = tmp_path / "out"
    line = [str(program.path), "-s", store.directory, "ls", "--watch", "-f", "{{.Name}}"]
    with out.open("wb") as file:
        process = subprocess.Popen(line, stdout=file, stderr=subprocess.PIPE)
        end = time.monotonic() + 20
        while out.read_text() != "h1\nh1\n" and time.monotonic() < end:
            time.sleep(0.05)
        os.kill(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=20)
    assert (process.returncode, err, out.read_text()) == (0, b"", "h1\nh1\n")


def test_the_command_of_either_name_lists_as_a_process_of_its_own(program: Program, store: Store) -> None:
    Fleet(store).add("h1", State.UNKNOWN, driver="none", address="127.0.0.1", port=1, route="plain", engine=None)
    for words in (["-q"], ["--recorded"], []):
        said = program.process("ls", *words)
        assert (said.code, said.err) == (0, "")
        assert "h1" in said.out
