"""The database: many processes, no power, no room, no permission, another version."""

from __future__ import annotations

import os
import sqlite3
import stat
from pathlib import Path

import pytest

from machine.errors import StoreError, StoreTooNew
from machine.model import State
from machine.store import database, schema
from machine.store.database import Database
from machine.store.store import Store
from tests.unit.processes import python, python_after, started, together
from tests.unit.specs import add_machine

READ_ONLY = 'mount --bind "$1" "$1"; mount -o remount,bind,ro "$1"'


def test_eight_processes_that_write_at_once_lose_no_update_and_see_no_lock(store: Store) -> None:
    add_machine(store)
    together(
        8,
        """
        from machine.store.store import Store
        store = Store(sys.argv[1])
        for _ in range(30):
            with store.database.write() as db:
                seen = db.execute("SELECT value FROM meta WHERE key = 'all'").fetchone()
                db.execute("INSERT OR REPLACE INTO meta VALUES ('all', ?)", (str(int(seen[0]) + 1 if seen else 1),))
        """,
        store.directory,
    )
    assert store.database.read("SELECT value FROM meta WHERE key = 'all'")[0][0] == "240"


def test_eight_processes_that_make_machines_in_a_fresh_store_all_find_theirs(tmp_path: Path) -> None:
    directory = str(tmp_path / "fresh")
    ids = together(
        8,
        """
        from machine.model import Spec, State
        from machine.store.store import Store
        store = Store(sys.argv[1])
        for turn in range(10):
            entry = store.journal.begin_create(Spec(name=f"m{number}-{turn}", driver="none"))
            store.journal.finish(entry, state=State.RUNNING)
        print(store.id)
        """,
        directory,
    )
    assert len(set(ids)) == 1
    store = Store(directory)
    assert {machine.state for machine in store.machines.all()} == {State.RUNNING}
    assert len(store.machines.names()) == 80
    store.close()


def test_eight_processes_make_one_authority_in_a_fresh_store(tmp_path: Path) -> None:
    directory = str(tmp_path / "fresh")
    fingerprints = together(
        8,
        """
        from machine.operations.authority import store_authority
        from machine.store.store import Store
        print(store_authority(Store(sys.argv[1])).certificate.serial_number)
        """,
        directory,
    )
    assert len(set(fingerprints)) == 1


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077, 0o277])
def test_directories_are_0700_and_secrets_0600_under_any_umask(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        store = Store(str(tmp_path / "above" / "store"))
        add_machine(store)
        store.files("web").write("key.pem", b"secret")
        store.files("web").write("cert.pem", b"public", 0o644)
        store.certs.write("ca-key.pem", b"secret")
        store.close()
    finally:
        os.umask(before)
    modes = {
        str(path.relative_to(tmp_path)): stat.S_IMODE(path.stat().st_mode)
        for path in tmp_path.rglob("*")
        if "home" not in path.parts
    }
    assert modes == {
        "above": 0o700,
        "above/store": 0o700,
        "above/store/pymachine.db": 0o600,
        "above/store/machines": 0o700,
        "above/store/machines/web": 0o700,
        "above/store/machines/web/key.pem": 0o600,
        "above/store/machines/web/cert.pem": 0o644,
        "above/store/certs": 0o700,
        "above/store/certs/ca-key.pem": 0o600,
    }


def test_the_write_ahead_log_is_as_private_as_the_database(store: Store) -> None:
    add_machine(store)
    for end in ("", "-wal", "-shm"):
        assert stat.S_IMODE(os.stat(store.database.path + end).st_mode) == 0o600


def test_a_store_of_a_newer_pymachine_is_refused_and_stays_byte_for_byte(tmp_path: Path) -> None:
    path = tmp_path / "pymachine.db"
    with sqlite3.connect(path) as newer:  # not in WAL mode: a switch would be seen
        newer.execute("CREATE TABLE other (x)")
        newer.execute(f"PRAGMA user_version={schema.VERSION + 1}")
    newer.close()
    before = path.read_bytes()
    with pytest.raises(StoreTooNew, match="newer pymachine") as raised:
        Store(str(tmp_path))
    assert f"schema {schema.VERSION + 1}" in str(raised.value.cause)
    assert "upgrade pymachine" in str(raised.value.hint)
    assert path.read_bytes() == before
    assert sorted(each.name for each in tmp_path.iterdir()) == ["home", "pymachine.db"]


def _add_column(db: sqlite3.Connection) -> None:
    db.execute("ALTER TABLE machines ADD COLUMN colour TEXT")


def _fail(db: sqlite3.Connection) -> None:
    _add_column(db)
    raise ZeroDivisionError


def _upgraded(monkeypatch: pytest.MonkeyPatch, migration: schema.Migration = _add_column) -> int:
    """This pymachine, one schema later."""
    monkeypatch.setattr(database, "MIGRATIONS", (*schema.MIGRATIONS, migration))
    monkeypatch.setattr(database, "VERSION", schema.VERSION + 1)
    return schema.VERSION


def test_a_migration_makes_a_backup_first_that_opens_as_the_old_version(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_machine(store)
    store.close()
    old = _upgraded(monkeypatch)
    migrated = Store(store.directory)
    assert migrated.database.read("SELECT name, colour FROM machines")[0][:] == ("web", None)
    migrated.close()
    monkeypatch.undo()
    backup = f"{store.database.path}.backup-{old}"
    assert stat.S_IMODE(os.stat(backup).st_mode) == 0o600
    os.replace(backup, store.database.path)
    restored = Store(store.directory)
    assert restored.machines.names() == ["web"]
    restored.close()


def test_a_migration_that_fails_changes_nothing(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    add_machine(store)
    _upgraded(monkeypatch, _fail)
    with pytest.raises(ZeroDivisionError):
        Store(store.directory)
    monkeypatch.undo()
    columns = [row["name"] for row in store.database.read("SELECT name FROM pragma_table_info('machines')")]
    assert "colour" not in columns
    assert store.machines.names() == ["web"]


def test_processes_that_migrate_at_once_leave_the_backup_of_what_was_before(store: Store) -> None:
    add_machine(store)
    store.close()
    together(
        8,
        """
        from machine.store import database, schema
        from machine.store.store import Store
        database.MIGRATIONS = (
            *schema.MIGRATIONS, lambda db: db.execute("ALTER TABLE machines ADD COLUMN colour TEXT")
        )
        database.VERSION = schema.VERSION + 1
        Store(sys.argv[1]).close()
        """,
        store.directory,
    )
    backup = sqlite3.connect(f"{store.database.path}.backup-{schema.VERSION}")
    assert backup.execute("PRAGMA user_version").fetchone() == (schema.VERSION,)
    backup.close()
    assert len(list(Path(store.directory).glob("*.backup-*"))) == 1


def test_a_read_only_store_answers_reads_and_refuses_writes(store: Store) -> None:
    add_machine(store)
    store.close()
    done = python_after(
        READ_ONLY,
        """
        import sys
        from machine.errors import StoreError
        from machine.model import State
        from machine.store.store import Store
        store = Store(sys.argv[1])
        print(store.database.read_only, store.machines.get("web").address)
        try:
            store.machines.record_observed((store.machines.get("web"), State.STOPPED))
        except StoreError as error:
            print(error)
        """,
        store.directory,
    )
    assert done.stdout.splitlines() == ["True 192.0.2.7", f"the store {store.directory} is read-only"]


def test_a_read_only_store_shows_what_a_killed_process_had_only_in_its_log(store: Store) -> None:
    add_machine(store)
    killed = python(
        """
        import os, sys
        from machine.store.store import Store
        from machine.model import State
        store = Store(sys.argv[1])
        store.machines.record_observed((store.machines.get("web"), State.STOPPED))
        os.kill(os.getpid(), 9)
        """,
        store.directory,
        check=False,
    )
    assert killed.returncode == -9
    # `store` keeps the log from being folded into the file.
    done = python_after(
        READ_ONLY,
        """
        import sys
        from machine.store.store import Store
        print(Store(sys.argv[1]).machines.get("web").state)
        """,
        store.directory,
    )
    assert done.stdout == "Stopped\n"


def test_a_read_only_place_without_a_store_is_said_to_be_one(tmp_path: Path) -> None:
    done = python_after(
        READ_ONLY,
        """
        import sys
        from machine.errors import StoreError
        from machine.store.store import Store
        try:
            Store(sys.argv[1])
        except StoreError as error:
            print(error, "|", error.hint)
        """,
        str(tmp_path),
    )
    assert "there is no store in" in done.stdout
    assert "--storage-path" in done.stdout


def test_a_kill_in_the_middle_of_a_write_leaves_a_store_that_works(store: Store) -> None:
    add_machine(store)
    code = """
        import sys
        from machine.store.store import Store
        with Store(sys.argv[1]).database.write() as db:
            db.execute("UPDATE machines SET state = 'Error'")
            print(flush=True)
            sys.stdin.read()
        """
    with started(code, store.directory):
        pass  # killed here
    store.machines.record_observed((store.machines.get("web"), State.STOPPED))
    again = Store(store.directory)
    assert again.machines.get("web").state is State.STOPPED
    again.close()


def test_a_damaged_database_is_named_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "pymachine.db"
    path.write_bytes(b"this was a database once" * 100)
    with pytest.raises(StoreError, match="damaged") as raised:
        Store(str(tmp_path))
    assert str(path) in str(raised.value.cause)
    assert raised.value.hint is not None
    (tmp_path / "pymachine.db.backup-1").write_bytes(b"")
    with pytest.raises(StoreError, match="damaged") as raised:
        Store(str(tmp_path))
    assert raised.value.hint == f"put the newest backup in its place: {path}.backup-1"


def _names(directory: str) -> list[str]:
    store = Store(directory)
    try:
        return [machine.name for machine in store.machines.all()]
    finally:
        store.close()


def test_damage_that_is_met_later_is_named_as_well(store: Store) -> None:
    add_machine(store)
    store.close()
    page = 4096
    with open(store.database.path, "r+b") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(page)  # the first page holds the schema
        file.write(b"\xff" * (size - page))
    with pytest.raises(StoreError, match="damaged"):
        _names(store.directory)


def test_a_place_that_cannot_be_a_store_is_an_error_of_ours(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot make the directory"):
        Store(str(tmp_path / "file" / "store"))
    (tmp_path / "odd" / "pymachine.db").mkdir(parents=True)
    with pytest.raises(StoreError, match="cannot be used"):
        Store(str(tmp_path / "odd"))


def test_a_store_that_was_moved_works_and_is_the_same_store(store: Store, tmp_path: Path) -> None:
    add_machine(store)
    store.files("web").write("key.pem", b"secret")
    store.close()
    os.rename(store.directory, tmp_path / "elsewhere")
    moved = Store(str(tmp_path / "elsewhere"))
    assert moved.id == store.id
    assert moved.machines.get("web").address == "192.0.2.7"
    assert moved.files("web").read("key.pem") == b"secret"
    moved.close()
    for file in (tmp_path / "elsewhere").rglob("*.*"):
        if file.is_file():
            assert os.fsencode(store.directory) not in file.read_bytes()


@pytest.mark.parametrize("name", ["with space", "per%20cent", "what?", "a#b", "ümlaut"])
def test_a_store_may_lie_under_any_name(tmp_path: Path, name: str) -> None:
    store = Store(str(tmp_path / name))
    add_machine(store)
    store.close()
    assert (tmp_path / name / "pymachine.db").exists()


def test_a_full_disk_is_told_as_such_and_loses_no_record(tmp_path: Path) -> None:
    done = python_after(
        'mount -t tmpfs -o size=400k tmpfs "$1"',
        """
        import os, sys
        from machine.errors import StoreError
        from machine.model import Spec, State
        from machine.store.store import Store
        store = Store(sys.argv[1])
        files = store.files("first")
        files.write("key.pem", b"old")
        made = []
        try:
            for number in range(10_000):
                store.journal.begin_create(Spec(name=f"m{number}", driver="none"))
                made.append(f"m{number}")
        except StoreError as error:
            print("database:", error, "|", error.cause, "|", error.hint)
        try:
            files.write("key.pem", b"new" * 400_000)
        except StoreError as error:
            print("file:", error, "|", error.cause)
        store.close()
        print(files.read("key.pem"), os.listdir(files.directory))
        again = Store(sys.argv[1])
        print(len(made) > 0, sorted(again.machines.names()) == sorted(made))
        print(again.database.read("PRAGMA integrity_check")[0][0])
        """,
        str(tmp_path),
    )
    said = done.stdout.splitlines()
    assert said[0].startswith("database: the store cannot be used | ")
    assert "full" in said[0]
    assert "df -h" in said[0]
    assert said[1].startswith("file: cannot write ")
    assert "No space left" in said[1]
    assert said[2:] == ["b'old' ['key.pem']", "True True", "ok"]


def test_readers_do_not_wait_for_a_writer(store: Store) -> None:
    add_machine(store)
    other = Database(store.directory)
    with store.database.write() as db:
        db.execute("UPDATE machines SET state = 'Error'")
        assert other.read("SELECT state FROM machines")[0][0] == "Running"
    assert other.read("SELECT state FROM machines")[0][0] == "Error"
    other.close()


def test_a_write_that_is_stopped_between_its_begin_and_its_end_holds_up_nobody(store: Store) -> None:
    def write_half() -> None:
        with store.database._connection() as db:
            db.execute("BEGIN IMMEDIATE")
            db.execute("INSERT INTO meta VALUES ('half', 'written')")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_half()
    assert store.database.read("SELECT value FROM meta WHERE key = 'half'") == []
    with store.database.write(patience=0.1) as db:
        db.execute("INSERT INTO meta VALUES ('whole', 'written')")
