"""The power goes: what is on the disk then opens, and is what was recorded at some moment, never half of it.

What the journal writes is synced before it counts, so what a power cut can take is the end of the log that is being
written, and pages of the database that are being folded in: both are taken away here byte by byte.
"""

from __future__ import annotations

import json
import random
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.faults.preludes import COMMITS, rows_of
from tests.faults.sweep import ALL, CASES, sample
from tests.faults.world import World

RECORDING = "tests.faults.preludes:copy_the_store_at_every_commit"
PAGE, HEADER, FRAME = 4096, 32, 4096 + 24  # of the database, of its log, of a page in the log
CUTS = 150
OPERATIONS = ("create", "start", "rm")


@pytest.fixture(params=OPERATIONS)
def recorded(world: World, request: pytest.FixtureRequest) -> Path:
    """Copies of a store after every commit of an operation, each with its rows as they were then."""
    case = CASES[request.param]
    if case.before:
        world.ok(*case.before)
    (ended,) = world.run(case.command, prelude=RECORDING)
    assert ended.code == 0, ended
    return world.directory / COMMITS


def copies(recorded: Path) -> list[Path]:
    return sorted(recorded.iterdir(), key=lambda each: int(each.name))


def rows_in(store: Path) -> str:
    """What a store says when it is opened, once it has been found sound."""
    with closing(sqlite3.connect(store / "pymachine.db")) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []
        return json.dumps(rows_of(db))


def cut(store: Path, target: Path, length: int) -> Path:
    """A copy of a store whose log ends after so many bytes."""
    shutil.copytree(store, target, ignore=shutil.ignore_patterns("*-shm", "rows.json", "logs"))
    with open(target / "pymachine.db-wal", "r+b") as log:
        log.truncate(length)
    return target


def test_a_copy_taken_at_any_commit_opens_and_is_what_was_recorded(recorded: Path, place: Path) -> None:
    for number, store in enumerate(copies(recorded)):
        whole = cut(store, place / f"whole-{number}", (store / "pymachine.db-wal").stat().st_size)
        assert rows_in(whole) == (store / "rows.json").read_text()


def test_a_log_cut_anywhere_is_what_was_recorded_before(recorded: Path, place: Path) -> None:
    known = [(store / "rows.json").read_text() for store in copies(recorded)]
    last = copies(recorded)[-1]
    size = (last / "pymachine.db-wal").stat().st_size
    # The end of every frame, one byte less, a few more; and anywhere.
    edges = [
        HEADER + FRAME * number + more for number in range(size // FRAME + 1) for more in (-1, 0, 1, 24, FRAME // 2)
    ]
    lengths = sorted({min(max(each, 0), size) for each in edges})
    before: set[str] = set()
    reached = 0
    for number, length in enumerate(sample([str(each) for each in lengths], CUTS)):
        rows = rows_in(cut(last, place / f"cut-{number}", int(length)))
        if rows in known:
            assert known.index(rows) >= reached, "an older state from a longer log"
            reached = known.index(rows)
        else:  # what was before the operation; after its first commit, nothing else may come
            before.add(rows)
            assert (reached, len(before)) == (0, 1), f"cut after {length} bytes: neither before nor after any commit"
    assert reached == len(known) - 1


def test_a_log_with_garbage_at_its_end_is_what_was_recorded_before(recorded: Path, place: Path) -> None:
    """A file system may give a file its length before its content."""
    known = [(store / "rows.json").read_text() for store in copies(recorded)]
    last = copies(recorded)[-1]
    chance = random.Random(4)
    size = (last / "pymachine.db-wal").stat().st_size
    for number in range(40 if ALL else 12):
        length = chance.randrange(size // 2, size)
        store = cut(last, place / f"garbage-{number}", length)
        with open(store / "pymachine.db-wal", "ab") as log:
            log.write(chance.choice([bytes, chance.randbytes])(size - length))
        assert rows_in(store) in known


def test_a_fold_of_the_log_that_was_cut_short_loses_nothing(recorded: Path, place: Path) -> None:
    """The last process folds the log into the file as it ends: any of its pages may be there, and the log is."""
    last = copies(recorded)[-1]
    folded = cut(last, place / "folded", (last / "pymachine.db-wal").stat().st_size)
    with closing(sqlite3.connect(folded / "pymachine.db")) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    after = (folded / "pymachine.db").read_bytes()
    before = (last / "pymachine.db").read_bytes()
    for number, content in enumerate(_partly(before, after)):
        store = cut(last, place / f"partly-{number}", (last / "pymachine.db-wal").stat().st_size)
        (store / "pymachine.db").write_bytes(content)
        assert rows_in(store) == (last / "rows.json").read_text()


def _partly(before: bytes, after: bytes) -> Iterator[bytes]:
    """Some pages as they were, some as they will be, some torn in the middle."""
    chance = random.Random(4)
    before = before.ljust(len(after), b"\0")
    for _ in range(40 if ALL else 12):
        pages = []
        for at in range(0, len(after), PAGE):
            old, new = before[at : at + PAGE], after[at : at + PAGE]
            torn = chance.randrange(PAGE)
            pages.append(chance.choice([old, new, new[:torn] + old[torn:]]))
        yield b"".join(pages)


def test_an_operation_goes_on_from_whatever_the_power_has_left(world: World, place: Path) -> None:
    """The whole world as it was at a commit, its log cut in the middle of that commit: no copy, the real commands."""
    assert world.run(CASES["create"].command, prelude=RECORDING)[0].code == 0
    stores = copies(world.directory / COMMITS)
    for number in sample([str(each) for each in range(2, len(stores))], 8):
        again = World(place / f"again-{number}", world.nursery)
        shutil.copytree(world.directory / "cloud", again.directory / "cloud")
        cut(stores[int(number)], again.store, (stores[int(number)] / "pymachine.db-wal").stat().st_size - 10)
        # The cloud is that of the end: whatever it made under this token is found again, not made twice.
        (gone_on,) = again.run("create web" if again.names() else CASES["create"].command)
        assert gone_on.code == 0, gone_on
        recorded_here = [each for each in again.cloud.instances() if each not in again.unrecorded()]
        assert len(recorded_here) == 1
        again.ok("rm -y web")
