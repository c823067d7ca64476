"""``start``, ``stop``, ``kill``, ``restart``, ``provision``: what is said, and what "already" means under each name."""

from __future__ import annotations

import pytest

from machine.model import State
from machine.store.store import Store
from tests.conformance.conftest import Fleet, Program
from tests.conformance.hosts import Hosts

NEW_ADDRESSES = "machines may have new IP addresses. You may need to re-run the `docker-machine env` command."
# What a command says before and after, to the letter; and the state it brings the instance to.
SAYS = {
    "start": ('Starting "web"...\n', f'Machine "web" was started.\nStarted {NEW_ADDRESSES}\n', "running"),
    "stop": ('Stopping "web"...\n', 'Machine "web" was stopped.\n', "stopped"),
    "kill": ('Killing "web"...\n', 'Machine "web" was killed.\n', "stopped"),
    "restart": ('Restarting "web"...\n', f"Restarted {NEW_ADDRESSES}\n", "running"),
}
OUR_WORDS = {"start": "web is running at tcp://", "stop": "web is stopped.", "kill": "web is stopped.",
             "restart": "web is running at tcp://"}  # fmt: skip


@pytest.fixture
def web(program: Program, hosts: Hosts) -> Hosts:
    """One machine, running."""
    assert program(*hosts.create, "web").code == 0
    return hosts


@pytest.mark.parametrize("command", SAYS)
def test_it_says_what_docker_machine_says_under_its_name(program: Program, web: Hosts, command: str) -> None:
    if command == "start":
        program("stop", "web")
    said = program(command, "web")
    begins, ends, state = SAYS[command]
    assert (said.code, said.err) == (0, "")
    if program.drop_in:
        assert said.out.startswith(begins)
        assert said.out.endswith(ends)
    else:
        assert said.out.splitlines()[-1].startswith(OUR_WORDS[command])
    assert web.states() == {"web": state}


@pytest.mark.parametrize(
    ("command", "before", "state"),
    [("start", "start", "running"), ("stop", "stop", "stopped"), ("kill", "stop", "stopped")],
)
def test_already_is_an_error_under_docker_machines_name_and_success_under_ours(
    program: Program, web: Hosts, command: str, before: str, state: str
) -> None:
    program(before, "web")
    said = program(command, "web")
    assert said.code == program.expects({"docker-machine": 1, "pymachine": 0})
    if program.drop_in:
        assert said.err == f'Machine "web" is already {state}.\n'
    else:
        assert said.err == ""
    assert web.states() == {"web": state}


def test_a_restart_starts_what_is_stopped(program: Program, web: Hosts) -> None:
    program("stop", "web")
    assert program("restart", "web").code == 0
    assert web.states() == {"web": "running"}


@pytest.mark.parametrize("command", SAYS)
def test_without_a_name_it_is_the_machine_default(program: Program, hosts: Hosts, command: str) -> None:
    said = program(command)
    first = {
        "docker-machine": 'Error: No machine name(s) specified and no "default" machine exists',
        "pymachine": 'Error: no machine name given, and there is no machine "default"',
    }
    assert (said.code, said.err.splitlines()[0]) == (1, program.expects(first))
    program(*hosts.create, "default")
    if command == "start":
        program("stop")
    assert program(command).code == 0
    assert hosts.states() == {"default": SAYS[command][2]}


@pytest.mark.parametrize("command", ["stop", "kill", "restart"])
def test_several_names_at_once(program: Program, web: Hosts, command: str) -> None:
    program(*web.create, "db")
    assert program(command, "web", "db").code == 0
    assert set(web.states().values()) == {SAYS[command][2]}


@pytest.mark.parametrize("command", [*SAYS, "provision", "ip", "upgrade"])
def test_one_unknown_name_and_nothing_is_done_to_any(program: Program, web: Hosts, store: Store, command: str) -> None:
    before = store.machines.get("web")
    calls = web.cloud.calls()
    said = program(command, "web", "nobody")
    assert said.code == 1
    assert "nobody" in said.err.splitlines()[0]
    assert 'web"...' not in said.out
    assert (store.machines.get("web"), web.cloud.calls()) == (before, calls)


def test_every_unknown_name_is_told(program: Program, web: Hosts) -> None:
    said = program("stop", "nobody", "somebody")
    assert said.code == 1
    assert "nobody" in said.err
    assert "somebody" in said.err


def test_one_that_fails_takes_the_other_s_success_not_away(program: Program, web: Hosts) -> None:
    program(*web.create, "db")
    (gone,) = [each for each in web.cloud.instances() if each.machine == "db"]
    web.cloud.lose(gone.id)
    said = program("stop", "web", "db")
    assert said.code == 1
    assert "db" in said.err
    assert "web" not in said.err
    assert web.states() == {"web": "stopped"}


@pytest.mark.parametrize("command", ["start", "stop", "kill"])
def test_what_a_driver_cannot_do_is_an_error(program: Program, fleet: Fleet, command: str) -> None:
    program("create", "-d", "none", "--url", "tcp://192.0.2.9:2375", "far")
    said = program(command, "far")
    assert said.code == 1
    assert f"cannot {command} a machine" in said.err


def test_a_provider_that_refuses_is_an_error_and_the_state_stays(program: Program, web: Hosts) -> None:
    web.cloud.fail("stop")
    said = program("stop", "web")
    assert said.code == 1
    assert "the memory cloud did not stop the instance" in said.err
    assert web.states() == {"web": "running"}


def test_provision_takes_several_and_makes_them_as_wanted(program: Program, web: Hosts) -> None:
    program(*web.create, "db")
    said = program("provision", "web", "db")
    assert (said.code, said.err) == (0, "")
    for name in ("web", "db"):
        assert f"{name} is as wanted at tcp://" in said.out


def test_provision_of_a_stopped_machine_is_an_error(program: Program, fleet: Fleet) -> None:
    fleet.add("off", State.STOPPED, driver="generic")
    said = program("provision", "off")
    assert (said.code, "recorded as stopped" in said.err) == (1, True)
