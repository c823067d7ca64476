"""``create``: names, drivers, what is refused and how, and what is said at the end."""

from __future__ import annotations

import os

import pytest

from machine.store.store import Store
from tests.conformance.conftest import Program, Said
from tests.conformance.hosts import Hosts

NONE = ("create", "-d", "none", "--url", "tcp://192.0.2.9:2375")


def first(said: Said) -> str:
    return said.err.splitlines()[0]


def nothing_made(store: Store) -> bool:
    return store.machines.names() == [] and not os.path.exists(os.path.join(store.directory, "machines"))


def test_it_ends_with_how_to_connect(program: Program, hosts: Hosts) -> None:
    said = program(*hosts.create, "web")
    assert (said.code, said.err) == (0, "")
    ends = {
        "docker-machine": "Docker is up and running!\nTo see how to connect your Docker Client to the Docker Engine "
        "running on this virtual machine, run: docker-machine env web\n",
        "pymachine": 'To use it in this shell: eval "$(pymachine env web)"\n',
    }
    assert said.out.endswith(program.expects(ends))
    assert hosts.states() == {"web": "running"}
    assert program("status", "web").out == "Running\n"


@pytest.mark.parametrize(
    "words", [["-d", "memory"], ["-dmemory"], ["--driver", "memory"], ["--driver=memory"]], ids=" ".join
)
@pytest.mark.parametrize("place", ["before", "after"])
def test_flags_may_stand_before_and_after_the_name(
    program: Program, hosts: Hosts, words: list[str], place: str
) -> None:
    line = (
        [*words, "--memory-region", "south", "web"] if place == "before" else ["web", *words, "--memory-region=south"]
    )
    assert program("create", *line).code == 0
    assert [each.region for each in hosts.cloud.instances()] == ["south"]


def test_the_environment_names_the_driver_and_its_options(
    program: Program, hosts: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MACHINE_DRIVER", "memory")
    monkeypatch.setenv("MEMORY_REGION", "south")
    assert program("create", "web").code == 0
    assert [each.region for each in hosts.cloud.instances()] == ["south"]


def test_a_flag_wins_over_the_environment(program: Program, hosts: Hosts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MACHINE_DRIVER", "generic")
    monkeypatch.setenv("MEMORY_REGION", "south")
    assert program(*hosts.create, "--memory-region", "north", "web").code == 0
    assert [each.region for each in hosts.cloud.instances()] == ["north"]


@pytest.mark.parametrize("name", ["a", "web1", "Web-2.example", "1st", "a" * 63])
def test_a_name_of_letters_digits_dashes_and_dots(program: Program, store: Store, name: str) -> None:
    assert program(*NONE, name).code == 0
    assert store.machines.names() == [name]


@pytest.mark.parametrize("name", ["a_b", ".a", "a b", "a/b", "ü", "a:b"])
def test_any_other_name_is_refused(program: Program, store: Store, name: str) -> None:
    said = program(*NONE, name)
    said_by = {
        "docker-machine": "Error creating machine: Invalid hostname specified. "
        "Allowed hostname chars are: 0-9a-zA-Z . -",
        "pymachine": f"Error: a machine cannot be called {name!r}",
    }
    assert (said.code, first(said)) == (1, program.expects(said_by))
    assert nothing_made(store)


@pytest.mark.parametrize("words", [[], [""]], ids=repr)
def test_no_name_is_an_error(program: Program, store: Store, words: list[str]) -> None:
    said = program(*NONE, *words)
    assert (said.code, first(said)) == (1, "Error: No machine name specified")
    assert nothing_made(store)


def test_more_than_a_name_is_an_error(program: Program, store: Store) -> None:
    said = program(*NONE, "a", "b", "c")
    assert (said.code, said.out) == (1, "")
    both = {
        "docker-machine": "Invalid command line. Found extra arguments [b c]",
        "pymachine": "Error: Invalid command line. Found extra arguments [b c]",
    }
    assert first(said) == program.expects(both)
    assert nothing_made(store)


@pytest.mark.parametrize("name", ["web", "WEB"])
def test_a_name_that_is_taken_is_refused(program: Program, hosts: Hosts, store: Store, name: str) -> None:
    program(*hosts.create, "web")
    said = program(*hosts.create, name)
    both = {"docker-machine": 'Docker machine "web" already exists', "pymachine": 'Error: a machine "web" exists'}
    assert (said.code, first(said)) == (1, program.expects(both))
    assert store.machines.names() == ["web"]
    assert len(hosts.cloud.instances()) == 1


def test_a_pre_check_that_fails_exits_3_and_leaves_nothing(program: Program, hosts: Hosts, store: Store) -> None:
    hosts.cloud.fail("describe")
    said = program(*hosts.create, "web")
    assert said.code == 3
    both = {
        "docker-machine": 'Error with pre-create check: "the memory cloud refuses"',
        "pymachine": "Error: web: the memory cloud refuses",
    }
    assert first(said) == program.expects(both)
    assert nothing_made(store)
    assert program("ls", "-q").out == ""


def test_a_create_that_fails_later_exits_1_and_stays_to_be_gone_on_with_or_removed(
    program: Program, hosts: Hosts, store: Store
) -> None:
    hosts.cloud.fail("run")
    said = program(*hosts.create, "web")
    assert said.code == 1
    assert "the memory cloud did not create the instance" in said.err
    assert store.machines.names() == ["web"]
    assert program(*hosts.create, "web").code == 0
    assert hosts.states() == {"web": "running"}


@pytest.mark.parametrize("words", [["-d", "memry"], ["--driver=memry"]], ids=" ".join)
def test_an_unknown_driver_gets_the_nearest(program: Program, hosts: Hosts, store: Store, words: list[str]) -> None:
    said = program("create", *words, "web")
    both = {
        "docker-machine": 'Driver "memry" not found. Do you have the plugin binary accessible in your PATH?',
        "pymachine": 'Error: no driver "memry"',
    }
    assert (said.code, first(said)) == (1, program.expects(both))
    assert "did you mean memory?" in said.err
    assert nothing_made(store)


@pytest.mark.parametrize("word", ["--memory-regoin=north", "--engine-lable=a=b", "--nonsense"])
def test_a_wrong_flag_exits_1_and_makes_nothing(program: Program, hosts: Hosts, store: Store, word: str) -> None:
    said = program(*hosts.create, word, "web")
    assert (said.code, said.out) == (1, "")
    assert "No such option" in first(said)
    assert nothing_made(store)


def test_the_help_shows_the_driver_s_flags(program: Program, hosts: Hosts) -> None:
    for words in (["-d", "memory", "--help"], ["-h", "--driver", "memory"]):
        said = program("create", *words)
        assert said.code == 0
        for flag in ("--memory-region", "--engine-opt", "--engine-env", "--tls-san"):
            assert flag in said.out


ENGINE = {
    "--engine-opt": ("storage-opt=dm.fs=ext4", ".HostOptions.EngineOptions.ArbitraryFlags"),
    "--engine-label": ("tier=front", ".HostOptions.EngineOptions.Labels"),
    "--engine-insecure-registry": ("registry.example", ".HostOptions.EngineOptions.InsecureRegistry"),
    "--engine-registry-mirror": ("https://mirror.example", ".HostOptions.EngineOptions.RegistryMirror"),
    "--engine-env": ("GREETING=hello", ".HostOptions.EngineOptions.Env"),
    "--tls-san": ("web.example", ".HostOptions.AuthOptions.ServerCertSANs"),
}


@pytest.mark.parametrize("flag", ENGINE)
def test_a_shared_flag_is_repeatable_and_shown_by_inspect(program: Program, hosts: Hosts, flag: str) -> None:
    value, path = ENGINE[flag]
    assert program(*hosts.create, flag, value, f"{flag}={value}2", "web").code == 0
    assert program("inspect", "-f", f"{{{{{path}}}}}", "web").out == f"[{value} {value}2]\n"


def test_the_storage_driver_is_one(program: Program, hosts: Hosts) -> None:
    assert program(*hosts.create, "--engine-storage-driver", "overlay2", "web").code == 0
    assert program("inspect", "-f", "{{.HostOptions.EngineOptions.StorageDriver}}", "web").out == "overlay2\n"


def test_the_registry_mirror_of_the_environment(
    program: Program, hosts: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENGINE_REGISTRY_MIRROR", "https://mirror.example")
    assert program(*hosts.create, "web").code == 0
    form = "{{.HostOptions.EngineOptions.RegistryMirror}}"
    assert program("inspect", "-f", form, "web").out == "[https://mirror.example]\n"


@pytest.mark.parametrize("how", ["flag", "variable"])
def test_an_install_script_other_than_docker_machine_s_default_is_refused(
    program: Program, hosts: Hosts, store: Store, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    words = []
    if how == "flag":
        words = ["--engine-install-url", "https://example.org/install.sh"]
    else:
        monkeypatch.setenv("MACHINE_DOCKER_INSTALL_URL", "https://example.org/install.sh")
    said = program(*hosts.create, *words, "web")
    assert said.code == 1
    assert "no script from the network" in first(said)
    assert nothing_made(store)


def test_docker_machine_s_default_install_script_is_what_happens_anyway(program: Program, hosts: Hosts) -> None:
    assert program(*hosts.create, "--engine-install-url", "https://get.docker.com", "web").code == 0
