"""``kill -9`` at every point of a create with a password in its engine's settings: one file has it, or none."""

from __future__ import annotations

import os
from pathlib import Path

from machine.operations.enginesecrets import ENGINE_SECRETS
from tests.faults.sweep import Case, Sweep
from tests.faults.world import World

CANARY = "canary-4711"
CREATE = f"create -d memory --engine-env HTTP_PROXY=http://ada:{CANARY}@proxy.example:3128 web"


def holders(world: World) -> set[str]:
    """Every file with the password in it, below everything that an operation changes."""
    found = (Path(at, name) for at, _, names in os.walk(world.directory) for name in names)
    return {str(path.relative_to(world.directory)) for path in found if CANARY.encode() in path.read_bytes()}


def test_killed_anywhere_a_create_leaves_it_in_its_file_at_most(sweep: Sweep) -> None:
    case = Case(CREATE)
    learnt = sweep.learn(case)
    kept = {f"store/machines/web/{ENGINE_SECRETS}"}
    seen = set()

    def killed(world: World, point: str) -> None:
        ended = world.nursery.wait(world.start(case.command, point=point, action="kill"))
        assert ended[-1].killed, f"not reached: {ended[-1]}"
        seen.add(frozenset(holders(world)))
        # Cut off while it is written, the temporary file beside it has it; the next operation sweeps that away.
        assert all(name.startswith(f"store/machines/web/.{ENGINE_SECRETS}.") for name in holders(world) - kept)
        if world.last() != ("create", "done"):
            world.ok(case.command)
        assert world.described() == learnt.end
        assert holders(world) == kept
        assert world.litter() == {f"machines/web/{ENGINE_SECRETS}"}
        world.ok("rm -y web")
        assert holders(world) == set()

    sweep.each(learnt, learnt.different, killed)
    assert {frozenset(), frozenset(kept)} <= seen
