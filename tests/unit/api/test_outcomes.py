"""One machine is returned or raises; of many, each has an outcome."""

from __future__ import annotations

import pytest

import machine
from machine.api.outcome import Outcome, Outcomes
from machine.errors import DriverError, MachineNotFound, UsageError
from tests.conformance.hosts import Hosts


@pytest.fixture
def three(client: machine.Client) -> machine.Client:
    client.create_many("web", 3, labels={"role": "web"}).raise_first()
    return client


def test_outcomes_are_a_list_that_knows_what_failed() -> None:
    error = DriverError("no")
    outcomes = Outcomes([Outcome("a", value=1), Outcome("b", error=error), Outcome("c", value=None)])
    assert [each.ok for each in outcomes] == [True, False, True]
    assert not outcomes.ok
    assert outcomes.results == [1, None]
    assert [each.machine for each in outcomes.failed] == ["b"]
    for raising in (outcomes.raise_first, lambda: outcomes[1].result):
        with pytest.raises(DriverError) as caught:
            raising()
        assert caught.value is error
    assert Outcomes(outcomes[:1]).raise_first() == [Outcome("a", value=1)]
    assert Outcomes().ok


def test_one_that_fails_does_not_stop_the_others_and_says_which_it_is(three: machine.Client, hosts: Hosts) -> None:
    hosts.cloud.fail("stop")
    outcomes = three.stop(["web-*"])
    assert [each.machine for each in outcomes] == ["web-1", "web-2", "web-3"]
    (failed,) = outcomes.failed
    assert failed.error is not None
    assert failed.error.machine == failed.machine
    assert sorted(hosts.states().values()) == ["running", "stopped", "stopped"]
    assert {each.state for each in outcomes.results} == {machine.State.STOPPED}


def test_one_by_its_name_raises(three: machine.Client, hosts: Hosts) -> None:
    hosts.cloud.fail("stop")
    with pytest.raises(DriverError) as caught:
        three.stop("web-2")
    assert (caught.value.machine, caught.value.step) == ("web-2", "instance")
    assert three.stop("WEB-2").name == "web-2"


def test_machines_are_chosen_as_by_the_commands(three: machine.Client) -> None:
    def names(*said: object, **chosen: object) -> list[str]:
        return [each.name for each in three.machines(*said, **chosen)]  # type: ignore[arg-type]

    three.create("db-1", labels={"role": "db", "spare": ""})
    assert names() == ["db-1", "web-1", "web-2", "web-3"]
    assert names(["web-[12]", "DB-1"]) == ["db-1", "web-1", "web-2"]
    assert names(labels={"role": "web"}) == ["web-1", "web-2", "web-3"]
    assert names(labels={"spare": None}) == ["db-1"]
    assert names(["*-1"], labels={"role": "web"}) == ["web-1"]
    assert names(("web-2", three.machine("db-1"), "web-2")) == ["web-2", "db-1"]
    assert names([]) == []


def test_nothing_chosen_is_an_error_and_never_all(three: machine.Client, hosts: Hosts) -> None:
    with pytest.raises(UsageError, match="which machines are meant"):
        three.rm()
    assert three.rm([]) == []
    assert three.rm([], labels={"role": "web"}) == []
    for unknown in (["nobody"], ["no-*"]):
        with pytest.raises(MachineNotFound):
            three.rm(unknown)
    with pytest.raises(UsageError, match="is a pattern"):
        three.rm("web-*")
    with pytest.raises(UsageError, match="a choice of many"):
        three.rm("web-1", group="front")  # type: ignore[call-overload]
    assert len(hosts.states()) == 3


def test_a_machine_that_is_gone_or_another_one_by_now_is_not_taken_for_it(three: machine.Client) -> None:
    old = three.machine("web-1")
    others = three.machines()
    three.rm(old)
    with pytest.raises(MachineNotFound, match="is gone"):
        three.stop(old)
    three.create("web-1")
    with pytest.raises(MachineNotFound, match="is gone"):
        three.rm(old)
    outcomes = three.stop(others)  # one of them is gone: the others are stopped
    assert [type(each.error) for each in outcomes] == [MachineNotFound, type(None), type(None)]
    assert three.machine("web-1").state is machine.State.RUNNING


def test_of_a_create_that_fails_the_error_is_the_outcome_and_what_was_made_stays_or_goes(
    client: machine.Client, hosts: Hosts
) -> None:
    hosts.cloud.fail("run")
    kept = client.create_many("a", 2)
    assert len(kept.failed) == 1
    assert client.half_made(kept.failed[0].machine)
    assert client.create(kept.failed[0].machine).state is machine.State.RUNNING
    hosts.cloud.fail("run")
    gone = client.create_many("b", 2, on_failure="rollback")
    assert len(gone.failed) == 1
    assert gone.failed[0].error is not None
    assert "to go on" not in (gone.failed[0].error.hint or "")
    assert [each.name for each in client.machines(["b-*"])] == [each.name for each in gone.results]
