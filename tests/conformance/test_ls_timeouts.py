"""``ls`` waits for nobody for ever: ``-t``, ``--recorded``, ``--watch``."""

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

from machine.model import State
from machine.store.store import Store
from tests.conformance.conftest import Fleet, Program
from tests.unit.processes import python


def test_recorded_asks_nobody_and_goes_with_filters_and_formats(program: Program, some: Fleet) -> None:
    table = program("ls", "--recorded")
    assert re.search(r"^web1 +- +other +Running \(0s ago\) +tcp://192.0.2.3:2376 +v24.0.7 +$", table.out, re.MULTILINE)
    assert (
        program("ls", "--recorded", "--filter", "state=stopped", "-f", "{{.Name}} {{.State}}").out == "Web2 Stopped\n"
    )
    (one,) = json.loads(program("ls", "--recorded", "--filter", "name=db", "-o", "json").out)
    assert (one["name"], one["state"], one["recorded"]) == ("db", "Error", True)
    assert some.asked == []


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
