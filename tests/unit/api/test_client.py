"""The client itself: it prints nothing, asks nobody, is shared by threads, and raises what is of one tree."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import machine
from machine.deadline import Cancellation
from machine.errors import (
    Cancelled,
    DriverError,
    InvalidName,
    MachineNotFound,
    NameTaken,
    PreCheckFailed,
    PymachineError,
    StoreError,
    UnknownDriver,
    UsageError,
)
from machine.testing.memory import KEY_VARIABLE
from tests.conformance.hosts import Hosts
from tests.conformance.old_stores import OldStore
from tests.unit.processes import python

Use = Callable[[machine.Client], Any]


def test_nothing_is_printed_whatever_happens(
    client: machine.Client, hosts: Hosts, capfd: pytest.CaptureFixture[str]
) -> None:
    client.create_many("web", 2)
    hosts.cloud.fail("stop")
    client.stop(["web-*"])
    client.start(["*"])
    client.ls(prices=True)
    hosts.cloud.fail("run")
    client.create_many("bad", 2, on_failure="rollback")
    with pytest.raises(PymachineError):
        client.scp("/nowhere", "web-1:/nowhere")
    client.rm(["*"])
    client.gc()
    assert capfd.readouterr() == ("", "")


def test_nothing_is_said_to_the_loggers_of_the_program(
    tmp_path: Path, hosts: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even to one that prints everything: what has not been redacted may hold a secret."""
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "plugins"))
    code = """
        import logging, sys
        from pathlib import Path
        logging.basicConfig(level=logging.DEBUG, format="seen %(name)s")
        import machine
        with machine.Client(sys.argv[1], timeout=1) as client:
            try:
                client.create("web", driver="memory")
            except machine.PymachineError as error:
                assert "seen" not in Path(error.log).read_text()
                assert "connect begun" in Path(error.log).read_text()
        """
    done = python(code, str(tmp_path / "other"))
    assert [line for line in done.stderr.splitlines() if line.startswith("seen machine")] == []


def test_events_come_as_they_happen_and_say_whose_they_are(client: machine.Client) -> None:
    events: list[machine.Event] = []
    client.using(on_event=events.append).create_many("web", 2)
    for name in ("web-1", "web-2"):
        own = [each for each in events if each.machine == name]
        assert [each.step for each in own if each.status == "done"] == [
            "reserve",
            "instance",
            "connect",
            "converge",
            "endpoint",
        ]
        assert {each.operation for each in own} == {"create"}
    client.stop("web-1")
    assert {each.operation for each in events} == {"create"}  # the other client was not asked to tell


def test_a_secret_among_the_options_is_kept_only_where_that_is_asked_for(
    client: machine.Client, hosts: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    hosts.cloud.demand_key("canary-4711")
    with pytest.raises(PreCheckFailed, match="api_key would be forgotten") as caught:
        client.create("web", options={"api_key": "canary-4711"})
    assert KEY_VARIABLE in (caught.value.hint or "")
    assert "save_credentials=True" in (caught.value.hint or "")
    assert client.machines() == []
    events: list[machine.Event] = []
    client.using(on_event=events.append).create("web", options={"api_key": "canary-4711"}, save_credentials=True)
    assert any("kept in the store" in each.text for each in events if each.status == "warning")
    client.stop("web")
    assert hosts.states() == {"web": "stopped"}


def test_a_create_that_was_cut_off_goes_on_by_its_name(client: machine.Client, hosts: Hosts) -> None:
    hosts.cloud.fail("run")
    with pytest.raises(DriverError):
        client.create("web", options={"size": 4}, labels={"role": "web"})
    begun = client.unfinished("web")
    assert begun is not None
    assert begun.options["size"] == 4
    assert client.create("web").spec.labels == {"role": "web"}
    assert [each.size for each in hosts.cloud.instances()] == [4]


@pytest.mark.parametrize(
    ("use", "kind", "words"),
    [
        (lambda client: client.create("a name"), InvalidName, "cannot be called"),
        (lambda client: client.create("WEB"), NameTaken, "exists"),
        (lambda client: client.create("x", driver="memroy"), UnknownDriver, "memroy"),
        (lambda client: client.create("x", options={"siez": 2}), UsageError, "no option 'siez'"),
        (lambda client: client.create("x", options={"size": "many"}), UsageError, "is not a number"),
        (lambda client: client.create("x", options={"size": object()}), UsageError, "size"),
        (lambda client: client.create("x", engine={"lables": ["a"]}), UsageError, "no setting 'lables'"),
        (lambda client: client.create("x", engine={"source": "moon"}), UsageError, "moon"),
        (lambda client: client.create("x", labels={"a": 1}), UsageError, "are no labels"),
        (lambda client: client.create("x", tls_san=["a..b"]), UsageError, "a..b"),
        (lambda client: client.create("x", host_key_policy="lax"), UsageError, "lax"),
        (lambda client: client.create("x", on_failure="ask"), UsageError, "on_failure"),
        (lambda client: client.create_many("x", 0), UsageError, "0 machines"),
        (lambda client: client.create_many("x", "3"), UsageError, "'3' machines"),
        (lambda client: client.using(timeout=0), UsageError, "timeout"),
        (lambda client: client.using(timeout="soon"), UsageError, "timeout"),
        (lambda client: client.using(parallel=0), UsageError, "parallel"),
        (lambda client: client.start("wbe"), MachineNotFound, "wbe"),
        (lambda client: client.start(5), UsageError, "5"),
        (lambda client: client.start([5]), UsageError, "5"),
        (lambda client: client.machine(""), MachineNotFound, "no machine"),
        (lambda client: client.allow("web", networks=["here"]), UsageError, "'here' is not a network"),
        (lambda client: client.resize("web", {}), UsageError, "say what shall change"),
        (lambda client: client.resize("web", {"disk": 5}), UsageError, "--memory-size"),
        (lambda client: client.scp("a", "nobody:b"), MachineNotFound, "nobody"),
        (lambda client: client.mount("/srv"), UsageError, "names no machine"),
        (lambda client: client.import_("/nowhere"), UsageError, "/nowhere"),
        (lambda client: client.adopt_authority("/nowhere", "/nowhere"), UsageError, "/nowhere"),
        (lambda client: client.fleet("/nowhere/fleet.yaml"), UsageError, "/nowhere/fleet.yaml"),
    ],
)
def test_what_cannot_be_meant_is_an_error_of_ours_and_changes_nothing(
    client: machine.Client, hosts: Hosts, use: Use, kind: type[PymachineError], words: str
) -> None:
    client.create("web")
    with pytest.raises(kind, match=words) as caught:
        use(client)
    assert isinstance(caught.value, machine.errors.PymachineError)
    assert hosts.states() == {"web": "running"}
    assert [each.name for each in client.machines()] == ["web"]


def test_two_threads_share_a_client(client: machine.Client, hosts: Hosts) -> None:
    failed: list[BaseException] = []

    def work(name: str) -> None:
        try:
            for _ in range(3):
                client.create(name)
                assert client.status(name).state is machine.State.RUNNING
                client.stop([name]).raise_first()
                assert client.rm(name)
        except BaseException as error:
            failed.append(error)
            raise

    threads = [threading.Thread(target=work, args=(name,)) for name in ("left", "right")]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert failed == []
    assert client.machines() == []
    assert hosts.states() == {}


def test_a_client_that_lives_long_keeps_no_file_open_for_threads_that_have_ended(client: machine.Client) -> None:
    client.create_many("web", 8)

    def opened() -> int:
        return len(os.listdir("/proc/self/fd"))

    client.for_each(["*"], lambda each: client.machine(each))
    first = opened()
    for _ in range(10):
        client.for_each(["*"], lambda each: client.machine(each)).raise_first()
    assert opened() <= first + 8


def test_what_is_cancelled_stops_at_the_next_safe_point_and_goes_on_when_it_is_repeated(
    client: machine.Client,
) -> None:
    stop = Cancellation()

    def on_event(event: machine.Event) -> None:
        if event.step == "connect":
            stop.cancel()

    with pytest.raises(Cancelled):
        client.using(cancellation=stop, on_event=on_event).create("web")
    assert client.create("web").state is machine.State.RUNNING  # the other one is not cancelled
    client.cancellation.cancel()
    with pytest.raises(Cancelled):
        client.restart("web")


def test_a_closed_client_says_so_and_is_closed_once(client: machine.Client) -> None:
    other = client.using(timeout=1)
    other.close()
    client.close()
    with pytest.raises(StoreError, match="closed"):
        client.machines()


def test_docker_machines_own_store_is_never_opened(tmp_path: Path) -> None:
    old = OldStore(tmp_path / "old")
    before = old.snapshot()
    with pytest.raises(UsageError, match="docker-machine's own store"):
        machine.Client(old.directory)
    assert old.snapshot() == before


def test_the_store_is_that_of_the_commands(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, home: Path) -> None:
    with machine.Client() as client:
        assert client.directory == str(home / ".local" / "share" / "pymachine")
    monkeypatch.setenv("PYMACHINE_HOME", str(tmp_path / "there"))
    with machine.Client() as client:
        assert client.directory == str(tmp_path / "there")
    with machine.Client("~/mine") as client:
        assert client.directory == str(home / "mine")


def test_files_for_docker_machines_programs_follow_what_the_client_does(tmp_path: Path, hosts: Hosts) -> None:
    with machine.Client(tmp_path / "store", views=True) as client:
        client.create("web")
        assert (tmp_path / "store" / "machines" / "web" / "config.json").exists()
    with machine.Client(tmp_path / "store") as client:  # it has them, and keeps them
        client.create("db")
    assert (tmp_path / "store" / "machines" / "db" / "config.json").exists()


def test_what_a_callback_raises_is_passed_on(client: machine.Client) -> None:
    def on_event(_event: machine.Event) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        client.using(on_event=on_event).create("web")
    # The operation has ended all the same, and is nobody's.
    assert client.create("web").state is machine.State.RUNNING
