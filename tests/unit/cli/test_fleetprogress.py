"""An apply on screen."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from machine.cli.fleetprogress import FleetProgress, told
from machine.errors import DriverError
from machine.fleet.changes import Action, Change
from machine.fleet.model import Fleet
from machine.fleet.schedule import Outcome
from machine.model import Event

SHOP = Fleet(name="shop", file="/fleets/shop.yaml", groups=())


def outcome(name: str, **how: Any) -> Outcome[Change]:
    return Outcome(Change(machine=name, group="web", action=Action.CREATE), "web", seconds=1.5, **how)


def event(name: str, status: str, text: str = "", step: str = "instance") -> Event:
    return Event(machine=name, operation="create", step=step, status=status, text=text)


def drawn(progress: FleetProgress, width: int = 80) -> list[str]:
    console = Console(file=io.StringIO(), width=width, force_terminal=False)
    console.print(progress)
    text: str = console.file.getvalue()  # type: ignore[attr-defined]
    return text.splitlines()


def on_a_terminal(progress: FleetProgress) -> io.StringIO:
    screen = io.StringIO()
    progress._console = Console(file=screen, width=80)
    return screen


def test_the_whole_is_one_line_and_each_machine_at_work_another() -> None:
    progress = FleetProgress(50)
    screen = on_a_terminal(progress)
    for number in range(1, 13):
        progress.emit(event(f"web-{number}", "begun"))
    progress.emit(event("web-2", "progress", "asking for an instance"))
    progress.ended(outcome("web-13"))
    progress.ended(outcome("web-14", error=DriverError("no capacity")))
    lines = drawn(progress)
    assert lines[0] == "1/50 ready, 1 failed, 12 running"
    assert "web-1: " in lines[1]
    assert "asking for an instance" in lines[2]
    assert lines[-1].strip() == "and 4 more"
    assert screen.getvalue() == ("✓ web-13: create done in 1.5 s\n✗ web-14: create failed in 1.5 s: no capacity\n")


def test_a_machine_that_turns_out_not_to_do_its_work_is_counted_once() -> None:
    progress = FleetProgress(2)
    on_a_terminal(progress)
    progress.ended(outcome("web-1"))
    progress.ended(outcome("web-1", error=DriverError("it does not answer")))
    assert str(progress) == "0/2 ready, 1 failed"


def test_a_line_is_never_longer_than_the_screen() -> None:
    progress = FleetProgress(1)
    on_a_terminal(progress)
    progress.emit(event("web-1", "progress", "x" * 500))
    assert max(map(len, drawn(progress, 40))) <= 40


def test_elsewhere_each_step_and_each_machine_is_a_plain_line(capsys: pytest.CaptureFixture[str]) -> None:
    progress = FleetProgress(2)
    with progress.shown():
        progress.emit(event("web-1", "begun"))
        progress.emit(event("web-1", "done", "192.0.2.7"))
        progress.ended(outcome("web-1"))
    said = capsys.readouterr().out
    assert said.splitlines() == [
        "(web-1) Making the machine: done in 0.0 s: 192.0.2.7",
        "web-1: create done in 1.5 s (1/2 ready)",
    ]


def test_the_end_tells_each_failure_with_its_log_and_once_why_the_others_were_not_begun(
    capsys: pytest.CaptureFixture[str],
) -> None:
    error = DriverError("no capacity", machine="web-1", step="instance")
    error.log = "/store/logs/web-1.log"
    left = [outcome(f"web-{number}", skipped="1 of the group web failed") for number in range(3, 10)]
    code = told(SHOP, [outcome("web-1", error=error), outcome("web-2"), *left], 3.0, stopped=False)
    said = capsys.readouterr()
    assert code == 1
    assert "Error: web-1: instance: no capacity" in said.err
    assert "log:   /store/logs/web-1.log" in said.err
    assert "Not begun: web-3, web-4, web-5, web-6, web-7 and 2 more (1 of the group web failed)" in said.err
    assert said.out == "shop: 1 of 9 done, 1 failed, 7 not begun, after 3.0 s.\n"


@pytest.mark.parametrize(("stopped", "code"), [(False, 0), (True, 130)])
def test_the_exit_code_says_whether_it_was_stopped(stopped: bool, code: int) -> None:
    assert told(SHOP, [outcome("web-1")], 1.0, stopped=stopped) == code
