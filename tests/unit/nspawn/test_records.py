from __future__ import annotations

import threading
from pathlib import Path

import pytest

from machine.drivers.nspawn import directories, layout, process, records
from machine.drivers.nspawn.layout import Layout
from machine.drivers.nspawn.locking import locked
from machine.errors import Cancelled, DriverError
from machine.testing.recorder import ListRecorder


@pytest.fixture
def places(tmp_path: Path) -> Layout:
    return Layout.of({layout.ROOT_VARIABLE: str(tmp_path)})


def _record(id: str, **more: object) -> records.Record:
    values = {"token": "t", "store": "s", "machine": "m", "authorized_key": "k", "base": "/b", "address": "10.0.0.2"}
    return records.Record(**{**values, "id": id, **more})  # type: ignore[arg-type]


def test_a_record_comes_back_as_it_was_written_and_only_root_can_read_it(places: Layout) -> None:
    directories.make_private(places.place("pm-1").directory)
    records.write_record(places, _record("pm-1", cpus=1.5))
    assert list(records.all_records(places)) == [_record("pm-1", cpus=1.5)]
    assert places.place("pm-1").record.stat().st_mode & 0o777 == 0o600
    assert places.machines.stat().st_mode & 0o777 == 0o700


def test_a_directory_without_a_record_is_no_machine_but_something(places: Layout) -> None:
    places.place("pm-1").directory.mkdir(parents=True)
    assert list(records.all_records(places)) == []
    assert records.any_machine(places)


def test_a_record_of_a_newer_version_is_understood_and_a_damaged_one_named(places: Layout) -> None:
    directories.make_private(places.place("pm-1").directory)
    records.write_record(places, _record("pm-1"))
    path = places.place("pm-1").record
    path.write_text(path.read_text().replace("{", '{"later": 1,', 1))
    assert records.read_record(places, "pm-1") == _record("pm-1")
    path.write_text("{")
    with pytest.raises(DriverError, match="damaged"):
        records.read_record(places, "pm-1")


def test_a_lock_on_a_directory_that_was_removed_is_taken_anew(places: Layout) -> None:
    held, entered = threading.Event(), threading.Event()
    record = ListRecorder(on_check=held.set)

    def wait() -> None:
        with locked(places.state, record, waiting_for="waiting"):
            assert places.state.is_dir()
            entered.set()

    with locked(places.state, ListRecorder(), waiting_for=""):
        thread = threading.Thread(target=wait)
        thread.start()
        assert held.wait(5)
        assert not entered.is_set()
        places.state.rmdir()
    thread.join(5)
    assert entered.is_set()
    assert record.lines == ["waiting"]


def test_a_wait_for_a_lock_ends_when_it_is_cancelled(places: Layout) -> None:
    def stop() -> None:
        raise Cancelled("now")

    with (
        locked(places.state, ListRecorder(), waiting_for=""),
        pytest.raises(Cancelled),
        locked(places.state, ListRecorder(on_check=stop), waiting_for=""),
    ):
        pass


def test_the_end_of_a_console_is_plain_text(places: Layout) -> None:
    place = places.place("pm-1")
    directories.make_private(place.directory)
    place.console.write_bytes(b"[\x1b[0;32m  OK  \x1b[0m] Started\r\n\x1b]0;title\x07bad\x00 thing\xc2\x9b\n\n")
    assert process.console_tail(place) == "[  OK  ] Started\nbad  thing"
    assert process.console_tail(places.place("none")) == "nothing on the console"


def test_empty_directories_are_removed_up_to_ours(places: Layout, tmp_path: Path) -> None:
    directories.make_private(places.machines)
    directories.remove_if_empty(places.machines, up_to=tmp_path)
    assert not (tmp_path / "var").exists()
