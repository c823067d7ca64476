"""Twenty operators in a store that nobody has used before."""

from __future__ import annotations

from tests.faults.world import World

COUNT = 20
FIRST = "os.mkdir(store) #1"


def test_twenty_creates_at_once_in_a_fresh_store_lose_nothing(world: World) -> None:
    """They wait at the starting line, the moment before one of them makes the store."""
    children = [world.start(f"create -d memory m{number}", point=FIRST, action="stop") for number in range(COUNT)]
    for child in children:
        world.nursery.wait(child, stopped=True)
    assert not world.store.exists()
    for child in children:
        world.nursery.resume(child)
    ended = [world.nursery.wait(child)[0] for child in children]
    for each in ended:
        assert each.code == 0, str(each)
        assert "locked" not in each.said

    names = {f"m{number}" for number in range(COUNT)}
    assert set(world.names()) == names
    assert {each.machine for each in world.cloud.instances()} == names
    assert len(world.cloud.instances()) == COUNT
    assert world.unrecorded() == []
    assert world.litter() == set()
    # Each was signed by the one authority, and each has its own journal from the first step to the last.
    authorities = {(world.store / "machines" / name / "ca.pem").read_bytes() for name in names}
    assert authorities == {(world.store / "certs" / "ca.pem").read_bytes()}
    rows = world.rows("SELECT machine, count(*) AS steps FROM steps s JOIN operations o ON o.id = s.operation_id"
                      " WHERE s.status = 'done' AND o.status = 'done' GROUP BY machine")  # fmt: skip
    assert {row["machine"]: row["steps"] for row in rows} == dict.fromkeys(names, 5)
    world.ok("rm -y " + " ".join(sorted(names)))
    assert world.cloud.instances() == []
