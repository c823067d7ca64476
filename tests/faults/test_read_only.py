"""A store that cannot be written: what reads it works as ever, what would change it says why it does not."""

from __future__ import annotations

import pytest

from tests.faults.sweep import MEMORY
from tests.faults.world import World, listed

READ_ONLY = "tests.faults.preludes:read_only_store"
READERS = (
    "env --shell sh web", "ls --recorded", "ls -q", "ip web", "url web", "status --recorded web", "inspect web",
    "ls -o json", "config web",
)  # fmt: skip
CHANGES = (
    "create -d memory other", "create web", "rm -y web", "rm -f web", "start web", "stop web", "kill web",
    "restart web", "provision web", "gc -y",
)  # fmt: skip


@pytest.fixture(params=["closed", "killed"])
def stored(world: World, request: pytest.FixtureRequest, needs_root: None) -> World:
    """A store with a machine in it, folded into one file, or with the log of a process that was killed beside it."""
    if request.param == "closed":
        world.ok(MEMORY)
    else:
        assert world.run(MEMORY, point="journal.finish #1: after", action="kill")[0].killed
        assert (world.store / "pymachine.db-wal").stat().st_size > 0
    return world


def test_what_only_reads_works_in_a_read_only_store(stored: World) -> None:
    as_ever = stored.copy(stored.directory.with_name("other")).ok(*READERS)
    here = stored.run(*READERS, prelude=READ_ONLY)
    for before, now in zip(as_ever, here, strict=True):
        assert now.code == 0, now
        if before.arguments[0] in ("env", "ip", "url", "status"):
            assert now.out.replace("/world/", "/other/") == before.out
    assert "Running" in here[1].out
    assert listed(here[7])["web"]["state"] == "Running"


def test_what_would_change_a_read_only_store_says_so_and_does_nothing(stored: World) -> None:
    before = stored.cloud.instances()
    for ended in stored.run(*CHANGES, prelude=READ_ONLY):
        if ended.arguments == ("create", "web"):
            assert 'a machine "web" exists' in ended.err
        elif ended.arguments != ("gc", "-y"):  # which finds nothing to do
            assert "is read-only" in ended.err, ended
            assert str(stored.store) in ended.err, ended
        assert ended.code == (0 if ended.arguments[0] == "gc" else 1), ended
        assert "Traceback" not in ended.said
    assert stored.cloud.instances() == before
