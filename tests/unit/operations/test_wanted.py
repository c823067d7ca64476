"""Flag, environment, ``config.toml``, default: the first one that says anything wins, and which one is recorded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from machine.driver import load_driver
from machine.errors import UsageError
from machine.operations.wanted import Wanted, default_driver, wanted
from machine.store.config import read_config

HOST = {"ip_address": "203.0.113.7"}


def configured(directory: Path, text: str) -> str:
    (directory / "config.toml").write_text(text)
    return str(directory)


def want(directory: str, given: dict[str, Any], environ: dict[str, str], **more: Any) -> Wanted:
    return wanted("web", load_driver("generic"), given, read_config(directory), environ=environ, **more)


def test_a_flag_wins_over_the_environment_over_the_file_over_the_default(tmp_path: Path) -> None:
    directory = configured(tmp_path, '[drivers.generic]\nssh-user = "file"\nssh-port = 1022\nengine-port = 4000\n')
    environ = {"GENERIC_SSH_USER": "environment", "GENERIC_SSH_PORT": "2022"}
    spec = want(directory, {**HOST, "ssh_user": "flag"}, environ).spec
    assert (spec.options["ssh_user"], spec.options["ssh_port"], spec.options["engine_port"]) == ("flag", 2022, 4000)
    assert spec.sources == {
        "ip_address": "--generic-ip-address",
        "ssh_user": "--generic-ssh-user",
        "ssh_port": "GENERIC_SSH_PORT",
        "engine_port": str(tmp_path / "config.toml"),
    }


def test_names_and_the_host_key_policy_come_from_the_file_unless_they_are_said(tmp_path: Path) -> None:
    directory = configured(tmp_path, 'host-key-policy = "strict"\ntls-san = ["a.example"]\n')
    assert want(directory, HOST, {}).spec.host_key_policy == "strict"
    assert want(directory, HOST, {}).spec.tls_san == ("a.example",)
    said = want(directory, HOST, {}, tls_san=("b.example",), host_key_policy="first-use").spec
    assert (said.tls_san, said.host_key_policy) == (("b.example",), "first-use")


def test_the_default_driver_is_the_environment_s_then_the_file_s(tmp_path: Path) -> None:
    config = read_config(configured(tmp_path, 'driver = "generic"\n'))
    assert default_driver(config, {"MACHINE_DRIVER": "nspawn"}) == "nspawn"
    assert default_driver(config, {}) == "generic"
    assert default_driver(read_config(str(tmp_path / "none")), {}) is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('drivr = "x"', "unknown key 'drivr'"),
        ("driver = 5", "driver must be a str"),
        ("driver = [", "cannot be read"),
        ("drivers = 3", "drivers must be tables"),
        ("[drivers]\ngeneric = 3", "drivers.generic must be a table"),
        ('[drivers.generic]\nssh-prt = "1"', "has no option 'ssh_prt'"),
        ('[drivers.generic]\nssh-port = "x"', "is not a port number"),
        ('host-key-policy = "never"', "host-key-policy 'never' is not one of"),
    ],
)
def test_a_wrong_configuration_is_named_with_its_file(tmp_path: Path, text: str, message: str) -> None:
    directory = configured(tmp_path, text)
    with pytest.raises(UsageError, match=message) as caught:
        want(directory, HOST, {})
    assert str(tmp_path / "config.toml") in str(caught.value)
