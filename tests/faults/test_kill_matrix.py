"""``kill -9`` at every point of every operation: going on and cleaning up both work, and nothing is lost or left.

The points come from the operations themselves (`tests.faults.points`), so a new step is in here the day it is written.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import machine
from tests.faults.sweep import CASES, MEMORY, Case, Learnt, Sweep
from tests.faults.world import World, listed

_GOES_ON = {"remove": "rm"}


@pytest.mark.parametrize("name", CASES)
def test_killed_anywhere_an_operation_goes_on_or_is_cleaned_up(sweep: Sweep, name: str) -> None:
    case = CASES[name]
    learnt = sweep.learn(case)

    def killed(world: World, point: str) -> None:
        child = world.start(case.command, point=point, action="kill")
        ended = world.nursery.wait(child)
        assert ended[-1].killed, f"not reached: {ended[-1]}"
        assert not world.nursery.leaks(child)
        assert world.unrecorded() == []
        other = world.copy(world.directory.with_name(f"{world.directory.name}-rm"))
        try:
            _goes_on(world, case, learnt)
            _is_cleaned_up(other, case)
        finally:
            other.remove()

    sweep.each(learnt, learnt.different, killed)


def _goes_on(world: World, case: Case, learnt: Learnt) -> None:
    kind, status = world.last()
    there = world.names()
    (told,) = world.run("ls -o json")
    _tells_the_truth(listed(told), there, kind, status, case.machine if kind != "bake" else "web")
    finished = status == "done" and world.described() == learnt.end
    if not finished and (there or case.kind in ("create", "bake")):
        # Before the first write there is nothing to go on with: the whole command is typed again.
        (again,) = world.run(case.go_on if there else case.command)
        assert again.code == 0, again
    assert world.described() == learnt.end
    assert world.litter() == set()
    _is_cleaned_up(world, case)


def _tells_the_truth(shown: dict[str, dict[str, object]], there: list[str], kind: str, status: str, name: str) -> None:
    assert list(shown) == there
    for seen in shown.values():
        if status == "running":
            expected = f"{kind} was interrupted; go on: pymachine {_GOES_ON.get(kind, kind)} {name}"
            assert (seen["state"], seen["trouble"]) == ("Error", expected)
        else:
            assert (status, seen["trouble"]) == ("done", "")


def _is_cleaned_up(world: World, case: Case) -> None:
    there = world.names()
    assert len(world.cloud.instances()) <= 1, "two instances for one machine"
    removed, left, names = world.run(f"rm -y {case.machine}", "gc --dry-run", "ls -q")
    assert removed.code == (0 if there else 1), removed
    assert (left.code, left.out) == (0, "Nothing was left behind.\n"), left
    assert names.out == ""
    assert world.cloud.instances() == []
    assert all(each.finished for each in world.cloud.images())
    if there:  # an operation sweeps; what was killed before there was one left its litter to the next
        assert world.litter() == set()
    assert not [name for name in world.files() if name.startswith("machines/")]
    if there and world.rows("SELECT 1 FROM operations WHERE driver = 'generic'"):
        assert not world.host.has_agent


def test_a_forced_remove_killed_anywhere_leaves_nothing_that_gc_does_not_find(sweep: Sweep, world: World) -> None:
    world.ok(MEMORY)
    world.cloud.fail("terminate", kind="error")
    learnt = sweep.learn_in(world, "rm -f web", code=1)

    def killed(world: World, point: str) -> None:
        assert world.run("rm -f web", point=point, action="kill")[-1].killed
        kept = {each.token for each in world.cloud.instances()}
        recorded = {row["token"] for row in world.rows("SELECT token FROM instances UNION SELECT token FROM orphans")}
        assert kept <= recorded
        world.run("rm -f web", "gc -y")
        assert (world.cloud.instances(), world.rows("SELECT 1 FROM orphans"), world.names()) == ([], [], [])

    sweep.each(learnt, learnt.different, killed)


def test_a_gc_killed_anywhere_can_be_repeated(sweep: Sweep, world: World) -> None:
    world.ok(MEMORY)
    world.cloud.fail("terminate", kind="error")
    assert world.run("rm -f web")[0].code == 1
    learnt = sweep.learn_in(world, "gc -y")

    def killed(world: World, point: str) -> None:
        assert world.run("gc -y", point=point, action="kill")[-1].killed
        again, left = world.run("gc -y", "gc --dry-run")
        assert (again.code, left.out) == (0, "Nothing was left behind.\n"), again
        assert world.cloud.instances() == []

    sweep.each(learnt, learnt.different, killed)


# Written by what is not an operation on a machine; each has a test of its own.
_ELSEWHERE = {
    "heartbeat._renew",
    "journal.request_cancel",
    "orphans.record",
    "orphans.forget",
    "journal.record_taken_over",
    "machines.record_observed",
    "journal.record_applied",
}
# Of fleets, as is what is applied: `test_fleet_killed`.
_STEPS_ELSEWHERE = {"journal.step(wanted, begun)", "journal.step(access, begun)"}


def test_every_step_and_every_write_of_the_store_is_among_the_points(sweep: Sweep) -> None:
    """What no operation here does, no test here interrupts: a new step or write needs a case that comes through it."""
    passed = {point.partition(" #")[0] for case in CASES.values() for point in sweep.learn(case).all}
    steps = {f"journal.step({name}, begun)" for name in _steps()}
    assert steps - passed - _STEPS_ELSEWHERE == set()
    assert _writers() - {each.partition("(")[0] for each in passed} - _ELSEWHERE == set()


def _steps() -> set[str]:
    """The names of all steps in the source that begin with a write: those that act."""
    return {
        node.args[0].value
        for _, tree in _sources("operations")
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "step"
        if node.args and isinstance(node.args[0], ast.Constant) and isinstance(node.args[0].value, str)
        if "acts=False" not in {ast.unparse(keyword) for keyword in node.keywords}
    }


def _writers() -> set[str]:
    """Every function that begins a write transaction: ``module.function``."""
    found = set()
    for module, tree in (*_sources("store"), *_sources("operations")):
        for function in ast.walk(tree):
            if isinstance(function, ast.FunctionDef):
                for node in ast.walk(function):
                    if isinstance(node, ast.withitem) and _begins_a_write(node.context_expr):
                        found.add(f"{module}.{function.name}")
    return found - {"journal._write", "journal.catch_up"}  # by whom they are called is told, and not they


def _begins_a_write(context: ast.expr) -> bool:
    return ast.unparse(context).endswith(".write()") or ast.unparse(context).startswith("self._write(")


def _sources(package: str) -> list[tuple[str, ast.Module]]:
    """The modules of a package, parsed."""
    paths = sorted((Path(machine.__path__[0]) / package).glob("*.py"))
    return [(path.stem, ast.parse(path.read_text())) for path in paths]
